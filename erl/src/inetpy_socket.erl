%% The functions of OTP's `socket`, with sockets that Python opens.
%%
%% The functions do what those of `socket` of the running OTP do: they are these, with our modules in place of
%% `prim_socket`, which calls the system (inetpy_socket_modules). So they have the arguments, answers and failures that
%% OTP's documentation of `socket` describes. A function that the running OTP does not have is undefined.
-module(inetpy_socket).

-dialyzer(no_opaque).  % see inetpy_socket_ref

%% OTP imports a function of the same name into all modules.
-compile({no_auto_import, [monitor/2]}).

-export([open/1, open/2, open/3, open/4, bind/2, bind/3, connect/1, connect/2, connect/3, listen/1, listen/2,
    accept/1, accept/2]).
-export([send/2, send/3, send/4, sendto/3, sendto/4, sendto/5, sendmsg/2, sendmsg/3, sendmsg/4, sendv/2, sendv/3,
    sendv/4, sendfile/2, sendfile/3, sendfile/4, sendfile/5, rest_iov/2]).
-export([recv/1, recv/2, recv/3, recv/4, recvfrom/1, recvfrom/2, recvfrom/3, recvfrom/4, recvmsg/1, recvmsg/2,
    recvmsg/3, recvmsg/4, recvmsg/5, cancel/2]).
-export([shutdown/2, close/1]).
-export([setopt/3, setopt/4, setopt_native/3, getopt/2, getopt/3, getopt_native/3, sockname/1, peername/1, ioctl/2,
    ioctl/3, ioctl/4]).
-export([info/0, info/1, i/0, i/1, i/2, supports/0, supports/1, supports/2, is_supported/1, is_supported/2,
    is_supported/3, tables/0, table/1, protocols/0, protocol/1, options/0, options/1, options/2, option/1, option/2,
    number_of/0, which_sockets/0, which_sockets/1, which_socket_kind/1, to_list/1, use_registry/1, debug/1,
    socket_debug/1]).
-export([monitor/1, cancel_monitor/1, number_of_monitors/0, number_of_monitors/1, which_monitors/1, monitored_by/1]).

-type socket() :: socket:socket().
%% In ms; `nowait` and a handle are for calls that answer `{select, _}` and do not wait.
-type wait() :: timeout() | nowait | socket:select_handle().
%% What OTP documents for each function.
-type result() ::
    ok
    | {ok, term()}
    | {select, term()}
    | {error, term()}.

%% --- opening ---------------------------------------------------------------

-spec open(integer()) -> {ok, socket()} | {error, term()}.
open(A1) -> (ours()):open(A1).

-spec open(term(), term()) -> {ok, socket()} | {error, term()}.
open(A1, A2) -> (ours()):open(A1, A2).

-spec open(term(), term(), term()) -> {ok, socket()} | {error, term()}.
open(A1, A2, A3) -> (ours()):open(A1, A2, A3).

-spec open(term(), term(), term(), map()) -> {ok, socket()} | {error, term()}.
open(A1, A2, A3, A4) -> (ours()):open(A1, A2, A3, A4).

-spec bind(socket(), socket:sockaddr() | any | broadcast | loopback) -> result().
bind(Socket, A2) -> (ours()):bind(Socket, A2).

-spec bind(socket(), [socket:sockaddr()], add | remove) -> result().
bind(Socket, A2, A3) -> (ours()):bind(Socket, A2, A3).

-spec connect(socket()) -> result().
connect(Socket) -> (ours()):connect(Socket).

-spec connect(socket(), socket:sockaddr()) -> result().
connect(Socket, A2) -> (ours()):connect(Socket, A2).

-spec connect(socket(), socket:sockaddr(), wait()) -> result().
connect(Socket, A2, A3) -> (ours()):connect(Socket, A2, A3).

-spec listen(socket()) -> ok | {error, term()}.
listen(Socket) -> (ours()):listen(Socket).

-spec listen(socket(), integer()) -> ok | {error, term()}.
listen(Socket, A2) -> (ours()):listen(Socket, A2).

-spec accept(socket()) -> result().
accept(Socket) -> (ours()):accept(Socket).

-spec accept(socket(), wait()) -> result().
accept(Socket, A2) -> (ours()):accept(Socket, A2).

%% --- sending ---------------------------------------------------------------

-spec send(socket(), iodata()) -> result().
send(Socket, A2) -> (ours()):send(Socket, A2).

-spec send(socket(), iodata(), [socket:msg_flag() | integer()] | wait() | socket:select_info()) -> result().
send(Socket, A2, A3) -> (ours()):send(Socket, A2, A3).

-spec send(socket(), iodata(), [socket:msg_flag() | integer()] | socket:select_info(), wait()) -> result().
send(Socket, A2, A3, A4) -> (ours()):send(Socket, A2, A3, A4).

-spec sendto(socket(), iodata(), socket:sockaddr() | socket:select_info()) -> result().
sendto(Socket, A2, A3) -> (ours()):sendto(Socket, A2, A3).

-spec sendto(socket(), iodata(), socket:sockaddr() | socket:select_info(), [socket:msg_flag() | integer()] | wait()) -> result().
sendto(Socket, A2, A3, A4) -> (ours()):sendto(Socket, A2, A3, A4).

-spec sendto(socket(), iodata(), socket:sockaddr(), [socket:msg_flag() | integer()], wait()) -> result().
sendto(Socket, A2, A3, A4, A5) -> (ours()):sendto(Socket, A2, A3, A4, A5).

-spec sendmsg(socket(), map() | list()) -> result().
sendmsg(Socket, A2) -> (ours()):sendmsg(Socket, A2).

-spec sendmsg(socket(), map() | list(), [socket:msg_flag() | integer()] | wait() | socket:select_info()) -> result().
sendmsg(Socket, A2, A3) -> (ours()):sendmsg(Socket, A2, A3).

-spec sendmsg(socket(), map() | list(), [socket:msg_flag() | integer()] | socket:select_info(), wait()) -> result().
sendmsg(Socket, A2, A3, A4) -> (ours()):sendmsg(Socket, A2, A3, A4).

-spec sendv(socket(), erlang:iovec()) -> result().
sendv(Socket, A2) -> (ours()):sendv(Socket, A2).

-spec sendv(socket(), erlang:iovec(), wait() | socket:select_info()) -> result().
sendv(Socket, A2, A3) -> (ours()):sendv(Socket, A2, A3).

-spec sendv(socket(), erlang:iovec(), socket:select_info(), wait()) -> result().
sendv(Socket, A2, A3, A4) -> (ours()):sendv(Socket, A2, A3, A4).

-spec sendfile(socket(), file:fd() | socket:select_info()) -> result().
sendfile(Socket, A2) -> (ours()):sendfile(Socket, A2).

-spec sendfile(socket(), file:fd() | socket:select_info(), wait()) -> result().
sendfile(Socket, A2, A3) -> (ours()):sendfile(Socket, A2, A3).

-spec sendfile(socket(), file:fd() | socket:select_info(), integer(), non_neg_integer()) -> result().
sendfile(Socket, A2, A3, A4) -> (ours()):sendfile(Socket, A2, A3, A4).

-spec sendfile(socket(), file:fd() | socket:select_info(), integer(), non_neg_integer(), wait()) -> result().
sendfile(Socket, A2, A3, A4, A5) -> (ours()):sendfile(Socket, A2, A3, A4, A5).

-spec rest_iov(non_neg_integer(), erlang:iovec()) -> erlang:iovec().
rest_iov(A1, A2) -> (ours()):rest_iov(A1, A2).

%% --- receiving -------------------------------------------------------------

-spec recv(socket()) -> result().
recv(Socket) -> (ours()):recv(Socket).

-spec recv(socket(), [socket:msg_flag() | integer()] | non_neg_integer()) -> result().
recv(Socket, A2) -> (ours()):recv(Socket, A2).

-spec recv(socket(), [socket:msg_flag() | integer()] | non_neg_integer(), [socket:msg_flag() | integer()] | wait()) -> result().
recv(Socket, A2, A3) -> (ours()):recv(Socket, A2, A3).

-spec recv(socket(), non_neg_integer(), [socket:msg_flag() | integer()], wait()) -> result().
recv(Socket, A2, A3, A4) -> (ours()):recv(Socket, A2, A3, A4).

-spec recvfrom(socket()) -> result().
recvfrom(Socket) -> (ours()):recvfrom(Socket).

-spec recvfrom(socket(), [socket:msg_flag() | integer()] | non_neg_integer()) -> result().
recvfrom(Socket, A2) -> (ours()):recvfrom(Socket, A2).

-spec recvfrom(socket(), [socket:msg_flag() | integer()] | non_neg_integer(), [socket:msg_flag() | integer()] | wait()) -> result().
recvfrom(Socket, A2, A3) -> (ours()):recvfrom(Socket, A2, A3).

-spec recvfrom(socket(), non_neg_integer(), [socket:msg_flag() | integer()], wait()) -> result().
recvfrom(Socket, A2, A3, A4) -> (ours()):recvfrom(Socket, A2, A3, A4).

-spec recvmsg(socket()) -> result().
recvmsg(Socket) -> (ours()):recvmsg(Socket).

-spec recvmsg(socket(), [socket:msg_flag() | integer()] | wait()) -> result().
recvmsg(Socket, A2) -> (ours()):recvmsg(Socket, A2).

-spec recvmsg(socket(), [socket:msg_flag() | integer()] | non_neg_integer(), wait() | non_neg_integer()) -> result().
recvmsg(Socket, A2, A3) -> (ours()):recvmsg(Socket, A2, A3).

-spec recvmsg(socket(), non_neg_integer(), non_neg_integer(), wait()) -> result().
recvmsg(Socket, A2, A3, A4) -> (ours()):recvmsg(Socket, A2, A3, A4).

-spec recvmsg(socket(), non_neg_integer(), non_neg_integer(), [socket:msg_flag() | integer()], wait()) -> result().
recvmsg(Socket, A2, A3, A4, A5) -> (ours()):recvmsg(Socket, A2, A3, A4, A5).

-spec cancel(socket(), socket:select_info()) -> ok | {error, term()}.
cancel(Socket, A2) -> (ours()):cancel(Socket, A2).

%% --- the end ---------------------------------------------------------------

-spec shutdown(socket(), read | write | read_write) -> ok | {error, term()}.
shutdown(Socket, A2) -> (ours()):shutdown(Socket, A2).

-spec close(socket()) -> ok | {error, term()}.
close(Socket) -> (ours()):close(Socket).

%% --- options and names -----------------------------------------------------

-spec setopt(socket(), term(), term()) -> ok | {error, term()}.
setopt(Socket, A2, A3) -> (ours()):setopt(Socket, A2, A3).

-spec setopt(socket(), term(), term(), term()) -> ok | {error, term()}.
setopt(Socket, A2, A3, A4) -> (ours()):setopt(Socket, A2, A3, A4).

-spec setopt_native(socket(), term(), term()) -> ok | {error, term()}.
setopt_native(Socket, A2, A3) -> (ours()):setopt_native(Socket, A2, A3).

-spec getopt(socket(), term()) -> {ok, term()} | {error, term()}.
getopt(Socket, A2) -> (ours()):getopt(Socket, A2).

-spec getopt(socket(), term(), term()) -> {ok, term()} | {error, term()}.
getopt(Socket, A2, A3) -> (ours()):getopt(Socket, A2, A3).

-spec getopt_native(socket(), term(), term()) -> {ok, term()} | {error, term()}.
getopt_native(Socket, A2, A3) -> (ours()):getopt_native(Socket, A2, A3).

-spec sockname(socket()) -> {ok, socket:sockaddr()} | {error, term()}.
sockname(Socket) -> (ours()):sockname(Socket).

-spec peername(socket()) -> {ok, socket:sockaddr()} | {error, term()}.
peername(Socket) -> (ours()):peername(Socket).

-spec ioctl(socket(), term()) -> ok | {ok, term()} | {error, term()}.
ioctl(Socket, A2) -> (ours()):ioctl(Socket, A2).

-spec ioctl(socket(), term(), term()) -> ok | {ok, term()} | {error, term()}.
ioctl(Socket, A2, A3) -> (ours()):ioctl(Socket, A2, A3).

-spec ioctl(socket(), term(), term(), term()) -> ok | {ok, term()} | {error, term()}.
ioctl(Socket, A2, A3, A4) -> (ours()):ioctl(Socket, A2, A3, A4).

%% --- what there is ---------------------------------------------------------

-spec info() -> map().
info() -> (ours()):info().

-spec info(socket()) -> map().
info(Socket) -> (ours()):info(Socket).

-spec i() -> ok.
i() -> (ours()):i().

-spec i(term()) -> ok.
i(A1) -> (ours()):i(A1).

-spec i(term(), [atom()]) -> ok.
i(A1, A2) -> (ours()):i(A1, A2).

-spec supports() -> list().
supports() -> (ours()):supports().

-spec supports(term()) -> list().
supports(A1) -> (ours()):supports(A1).

-spec supports(term(), term()) -> list().
supports(A1, A2) -> (ours()):supports(A1, A2).

-spec is_supported(term()) -> boolean().
is_supported(A1) -> (ours()):is_supported(A1).

-spec is_supported(term(), term()) -> boolean().
is_supported(A1, A2) -> (ours()):is_supported(A1, A2).

-spec is_supported(term(), term(), term()) -> boolean().
is_supported(A1, A2, A3) -> (ours()):is_supported(A1, A2, A3).

-spec tables() -> map().
tables() -> (ours()):tables().

-spec table(atom()) -> map().
table(A1) -> (ours()):table(A1).

-spec protocols() -> map().
protocols() -> (ours()):protocols().

-spec protocol(atom() | integer()) -> list() | integer().
protocol(A1) -> (ours()):protocol(A1).

-spec options() -> term().
options() -> (ours()):options().

-spec options(term()) -> term().
options(A1) -> (ours()):options(A1).

-spec options(term(), term()) -> term().
options(A1, A2) -> (ours()):options(A1, A2).

-spec option(term()) -> term().
option(A1) -> (ours()):option(A1).

-spec option(term(), term()) -> term().
option(A1, A2) -> (ours()):option(A1, A2).

-spec number_of() -> non_neg_integer().
number_of() -> (ours()):number_of().

-spec which_sockets() -> [socket()].
which_sockets() -> (ours()):which_sockets().

-spec which_sockets(term()) -> [socket()].
which_sockets(A1) -> (ours()):which_sockets(A1).

-spec which_socket_kind(socket()) -> plain | compat.
which_socket_kind(Socket) -> (ours()):which_socket_kind(Socket).

-spec to_list(socket()) -> string().
to_list(Socket) -> (ours()):to_list(Socket).

-spec use_registry(boolean()) -> ok.
use_registry(A1) -> (ours()):use_registry(A1).

-spec debug(boolean()) -> ok.
debug(A1) -> (ours()):debug(A1).

-spec socket_debug(boolean()) -> ok.
socket_debug(A1) -> (ours()):socket_debug(A1).

%% --- monitors --------------------------------------------------------------

-spec monitor(socket()) -> reference().
monitor({'$socket', Ref} = Socket) when is_reference(Ref) ->
    %% Our copy of OTP's function would name itself in the message that a closed socket gives.
    inetpy_socket_registry:monitor(Socket);
monitor(Socket) ->
    (ours()):monitor(Socket).

-spec cancel_monitor(reference()) -> boolean().
cancel_monitor(A1) -> (ours()):cancel_monitor(A1).

-spec number_of_monitors() -> non_neg_integer().
number_of_monitors() -> (ours()):number_of_monitors().

-spec number_of_monitors(pid() | socket()) -> non_neg_integer().
number_of_monitors(A1) -> (ours()):number_of_monitors(A1).

-spec which_monitors(pid() | socket()) -> [reference()].
which_monitors(A1) -> (ours()):which_monitors(A1).

-spec monitored_by(socket()) -> [pid()].
monitored_by(Socket) -> (ours()):monitored_by(Socket).

ours() -> inetpy_socket_modules:ours().
