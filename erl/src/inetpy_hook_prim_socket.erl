%% Stands in for `prim_socket` behind OTP's `socket` while inetpy is installed with the option `socket`, and after that:
%% inetpy_install loads `socket` with calls of this module.
%%
%% New sockets are Python's while inetpy is installed. A socket that is open stays with the module that has opened it,
%% so sockets of Python work after uninstall/0.
-module(inetpy_hook_prim_socket).

-export([info/0, info/1, debug/1, socket_debug/1, use_registry/1]).
-export([supports/0, supports/1, supports/2, is_supported/1, is_supported/2, p_get/1]).
-export([open/2, open/4, bind/2, bind/3, connect/1, connect/3, listen/2, accept/2]).
-export([send/4, sendv/3, sendto/4, sendto/5, sendmsg/4, sendmsg/5, rest_iov/2]).
-export([sendfile/4, sendfile/5, sendfile_deferred_close/1]).
-export([recv/4, recvfrom/4, recvmsg/5]).
-export([close/1, finalize_close/1, shutdown/2]).
-export([setopt/3, setopt_native/3, getopt/2, getopt_native/3, sockname/1, peername/1]).
-export([ioctl/2, ioctl/3, ioctl/4, cancel/3, enc_sockaddr/1]).

%% The types of arguments and answers are those of `prim_socket`.
-type ref() :: term().
-type answer() :: term().

%% The module of new sockets.
-spec new() -> module().
new() ->
    case inetpy_install:leads_sockets() of
        true -> inetpy_prim_socket;
        false -> prim_socket
    end.

%% The module of a socket.
-spec of_socket(ref()) -> module().
of_socket(Ref) ->
    case inetpy_socket_ref:is_ours(Ref) of
        true -> inetpy_prim_socket;
        false -> prim_socket
    end.

%% --- of no socket ----------------------------------------------------------

-spec info() -> map().
info() -> (new()):info().

-spec debug(boolean()) -> ok.
debug(On) -> (new()):debug(On).

-spec socket_debug(boolean()) -> ok.
socket_debug(On) -> (new()):socket_debug(On).

-spec use_registry(boolean()) -> ok.
use_registry(On) -> (new()):use_registry(On).

-spec supports() -> list().
supports() -> (new()):supports().

-spec supports(term()) -> list().
supports(Key) -> (new()):supports(Key).

-spec supports(term(), term()) -> list().
supports(Key1, Key2) -> (new()):supports(Key1, Key2).

-spec is_supported(term()) -> boolean().
is_supported(Key) -> (new()):is_supported(Key).

-spec is_supported(term(), term()) -> boolean().
is_supported(Key1, Key2) -> (new()):is_supported(Key1, Key2).

-spec p_get(atom()) -> map().
p_get(Name) -> (new()):p_get(Name).

-spec open(integer(), map()) -> answer().
open(Descriptor, Options) -> (new()):open(Descriptor, Options).

-spec open(term(), term(), term(), map()) -> answer().
open(Domain, Type, Protocol, Options) -> (new()):open(Domain, Type, Protocol, Options).

-spec rest_iov(non_neg_integer(), [binary()]) -> [binary()].
rest_iov(Written, IOV) -> inetpy_prim_socket:rest_iov(Written, IOV).

%% --- of a socket -----------------------------------------------------------

-spec info(ref()) -> answer().
info(Ref) -> (of_socket(Ref)):info(Ref).

-spec bind(ref(), term()) -> answer().
bind(Ref, Address) -> (of_socket(Ref)):bind(Ref, Address).

-spec bind(ref(), term(), term()) -> answer().
bind(Ref, Addresses, Action) -> (of_socket(Ref)):bind(Ref, Addresses, Action).

-spec connect(ref()) -> answer().
connect(Ref) -> (of_socket(Ref)):connect(Ref).

-spec connect(ref(), term(), term()) -> answer().
connect(Ref, Handle, Address) -> (of_socket(Ref)):connect(Ref, Handle, Address).

-spec listen(ref(), term()) -> answer().
listen(Ref, Backlog) -> (of_socket(Ref)):listen(Ref, Backlog).

-spec accept(ref(), term()) -> answer().
accept(Ref, Handle) -> (of_socket(Ref)):accept(Ref, Handle).

-spec send(ref(), term(), term(), term()) -> answer().
send(Ref, Data, Flags, Handle) -> (of_socket(Ref)):send(Ref, Data, Flags, Handle).

-spec sendv(ref(), term(), term()) -> answer().
sendv(Ref, IOV, Handle) -> (of_socket(Ref)):sendv(Ref, IOV, Handle).

-spec sendto(ref(), term(), term(), term()) -> answer().
sendto(Ref, Data, ToFlags, Handle) -> (of_socket(Ref)):sendto(Ref, Data, ToFlags, Handle).

-spec sendto(ref(), term(), term(), term(), term()) -> answer().
sendto(Ref, Data, To, Flags, Handle) -> (of_socket(Ref)):sendto(Ref, Data, To, Flags, Handle).

-spec sendmsg(ref(), term(), term(), term()) -> answer().
sendmsg(Ref, IOV, MsgFlags, Handle) -> (of_socket(Ref)):sendmsg(Ref, IOV, MsgFlags, Handle).

-spec sendmsg(ref(), term(), term(), term(), term()) -> answer().
sendmsg(Ref, Msg, Flags, Handle, IOV) -> (of_socket(Ref)):sendmsg(Ref, Msg, Flags, Handle, IOV).

-spec sendfile(ref(), term(), term(), term()) -> answer().
sendfile(Ref, Offset, Count, Handle) -> (of_socket(Ref)):sendfile(Ref, Offset, Count, Handle).

-spec sendfile(ref(), term(), term(), term(), term()) -> answer().
sendfile(Ref, File, Offset, Count, Handle) -> (of_socket(Ref)):sendfile(Ref, File, Offset, Count, Handle).

-spec sendfile_deferred_close(ref()) -> answer().
sendfile_deferred_close(Ref) -> (of_socket(Ref)):sendfile_deferred_close(Ref).

-spec recv(ref(), term(), term(), term()) -> answer().
recv(Ref, Length, Flags, Handle) -> (of_socket(Ref)):recv(Ref, Length, Flags, Handle).

-spec recvfrom(ref(), term(), term(), term()) -> answer().
recvfrom(Ref, Length, Flags, Handle) -> (of_socket(Ref)):recvfrom(Ref, Length, Flags, Handle).

-spec recvmsg(ref(), term(), term(), term(), term()) -> answer().
recvmsg(Ref, BufSz, CtrlSz, Flags, Handle) -> (of_socket(Ref)):recvmsg(Ref, BufSz, CtrlSz, Flags, Handle).

-spec close(ref()) -> answer().
close(Ref) -> (of_socket(Ref)):close(Ref).

-spec finalize_close(ref()) -> answer().
finalize_close(Ref) -> (of_socket(Ref)):finalize_close(Ref).

-spec shutdown(ref(), term()) -> answer().
shutdown(Ref, How) -> (of_socket(Ref)):shutdown(Ref, How).

-spec setopt(ref(), term(), term()) -> answer().
setopt(Ref, Option, Value) -> (of_socket(Ref)):setopt(Ref, Option, Value).

-spec setopt_native(ref(), term(), term()) -> answer().
setopt_native(Ref, Option, Value) -> (of_socket(Ref)):setopt_native(Ref, Option, Value).

-spec getopt(ref(), term()) -> answer().
getopt(Ref, Option) -> (of_socket(Ref)):getopt(Ref, Option).

-spec getopt_native(ref(), term(), term()) -> answer().
getopt_native(Ref, Option, Spec) -> (of_socket(Ref)):getopt_native(Ref, Option, Spec).

-spec sockname(ref()) -> answer().
sockname(Ref) -> (of_socket(Ref)):sockname(Ref).

-spec peername(ref()) -> answer().
peername(Ref) -> (of_socket(Ref)):peername(Ref).

-spec ioctl(ref(), term()) -> answer().
ioctl(Ref, Request) -> (of_socket(Ref)):ioctl(Ref, Request).

-spec ioctl(ref(), term(), term()) -> answer().
ioctl(Ref, Request, Argument) -> (of_socket(Ref)):ioctl(Ref, Request, Argument).

-spec cancel(ref(), term(), term()) -> answer().
cancel(Ref, Op, Handle) -> (of_socket(Ref)):cancel(Ref, Op, Handle).

%% `socket` asks for the bytes of an address before it says of which socket: see ioctl/4.
-spec enc_sockaddr(term()) -> {module(), term()}.
enc_sockaddr(Address) -> {?MODULE, Address}.

-spec ioctl(ref(), term(), term(), term()) -> answer().
ioctl(Ref, Request, Argument, {?MODULE, Address}) ->
    Module = of_socket(Ref),
    Module:ioctl(Ref, Request, Argument, Module:enc_sockaddr(Address));
ioctl(Ref, Request, Argument1, Argument2) ->
    (of_socket(Ref)):ioctl(Ref, Request, Argument1, Argument2).
