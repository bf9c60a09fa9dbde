%% What `prim_socket` is to OTP's `socket`: the calls that go to the system. Here they go to Python.
%%
%% inetpy_otp_socket, which is OTP's `socket` with other names, calls the functions of this module. So it has the
%% functions, arities, answers and failures of `prim_socket` of the running OTP. Arguments are checked by Python,
%% also those of a closed socket, whose errors come before `{error, closed}`.
-module(inetpy_prim_socket).

-export([info/0, info/1, debug/1, socket_debug/1, use_registry/1]).
-export([supports/0, supports/1, supports/2, is_supported/1, is_supported/2, p_get/1]).
-export([open/2, open/4, bind/2, bind/3, connect/1, connect/3, listen/2, accept/2]).
-export([send/4, sendv/3, sendto/4, sendto/5, sendmsg/4, sendmsg/5, rest_iov/2]).
-export([sendfile/4, sendfile/5, sendfile_deferred_close/1]).
-export([recv/4, recvfrom/4, recvmsg/5]).
-export([close/1, finalize_close/1, shutdown/2]).
-export([setopt/3, setopt_native/3, getopt/2, getopt_native/3, sockname/1, peername/1]).
-export([ioctl/2, ioctl/3, ioctl/4, cancel/3, enc_sockaddr/1]).

%% The types of arguments are those of `prim_socket`, and Python says what is wrong with others.
-type ref() :: term().  % of inetpy_socket_ref
-type answer() :: term().

%% --- of no socket ----------------------------------------------------------

-spec info() -> map().
info() -> ask(info, []).

-spec debug(boolean()) -> ok.
debug(On) -> ask(debug, [On]).

-spec socket_debug(boolean()) -> ok.
socket_debug(On) -> ask(socket_debug, [On]).

-spec use_registry(boolean()) -> ok.
use_registry(On) -> ask(use_registry, [On]).

-spec supports() -> list().
supports() -> ask(supports, []).

-spec supports(term()) -> list().
supports(Key) -> ask(supports, [Key]).

-spec supports(term(), term()) -> list().
supports(Key1, Key2) -> ask(supports, [Key1, Key2]).

-spec is_supported(term()) -> boolean().
is_supported(Key) -> ask(is_supported, [Key]).

-spec is_supported(term(), term()) -> boolean().
is_supported(Key1, Key2) -> ask(is_supported, [Key1, Key2]).

%% A table of names and numbers, as OTP 28 asks for it.
-spec p_get(atom()) -> map().
p_get(Name) -> ask(table, [Name]).

%% An answer of Python about itself and its system.
ask(Function, Arguments) ->
    inetpy_request:open(socket_system, {Function, Arguments}).

%% --- opening ---------------------------------------------------------------

-spec open(integer(), map()) -> {ok, ref()} | {error, term()}.
open(Descriptor, Options) ->
    Ref = inetpy_socket_ref:new(),
    Args = {Ref, self(), Descriptor, Options},
    opened(Ref, inetpy_request:open(socket_fdopen, inetpy_context:around(Args, self()))).

-spec open(term(), term(), term(), map()) -> {ok, ref()} | {error, term()}.
open(Domain, Type, Protocol, Options) ->
    Ref = inetpy_socket_ref:new(),
    Args = {Ref, self(), Domain, Type, Protocol, path_in(netns, Options)},
    opened(Ref, inetpy_request:open(socket_open, inetpy_context:around(Args, self()))).

opened(Ref, {ok, _}) -> {ok, Ref};
opened(_, Other) -> Other.

-spec bind(ref(), term()) -> answer().
bind(Ref, Address) ->
    ok = await_port(Address),
    with_address(Address, fun(Encoded) -> call(Ref, socket_bind, Encoded) end).

%% The port may be that of a socket of another bridge, which a caller has closed without waiting for Python.
await_port(#{port := Port}) when Port =/= 0 ->
    Count = inetpy_bridges:count(),
    _ = [await_closes(Number) || Count > 1, Number <- lists:seq(1, Count)],
    ok;
await_port(_) ->
    ok.

await_closes(Number) ->
    case inetpy_bridge:where(Number, 0) of
        {ok, Bridge, _} ->
            %% any answer will do: it comes behind the close
            inetpy_early:is_behind(Bridge) andalso inetpy_request:open(socket_system, {is_supported, [ipv6]}, -1, Number);
        _ ->
            false
    end.

%% Of SCTP, and not in the NIF: after a look at the addresses it fails with notsup, whatever the socket is.
-spec bind(ref(), list(), add | remove) -> answer().
bind(_Ref, Addresses, Action) ->
    with_addresses(Addresses, [], fun(Encoded) ->
        call_of(closed_socket(), socket_bindx, {Encoded, Action})
    end).

-spec connect(ref()) -> answer().
connect(Ref) ->
    case where(Ref) of
        none -> {error, closed};
        Handle -> inetpy_handle:raise(inetpy_request:connected({'$inet', ?MODULE, Handle}, socket_connected))
    end.

-spec connect(ref(), reference(), term()) -> answer().
connect(Ref, Handle, Address) ->
    with_address(Address, fun(Encoded) ->
        call(Ref, socket_connect, inetpy_context:connecting({self(), Handle, Encoded}, Address))
    end).

-spec listen(ref(), term()) -> answer().
listen(Ref, Backlog) -> call(Ref, socket_listen, Backlog).

-spec accept(ref(), reference()) -> answer().
accept(Ref, Handle) ->
    New = inetpy_socket_ref:new(),
    opened(New, call(Ref, socket_accept, inetpy_context:around({self(), Handle, New}, self()))).

%% --- sending ---------------------------------------------------------------

%% Bytes of data in one request: see inetpy_request.
-define(PIECE, (1 bsl 20)).

%% The flags are a number when a send goes on after a select message.
-spec send(ref(), binary(), list() | integer(), reference()) -> answer().
send(Ref, Data, [], Handle) when byte_size(Data) =< ?PIECE ->
    case where(Ref) of
        none ->
            {error, closed};
        {Bridge, Out, Id} = Where ->
            case inetpy_early:may_send(Bridge, Id, byte_size(Data)) of
                true -> inetpy_request:send_early(Out, Id, Data);
                false -> sent(call_with_data_of(Where, socket_send, {self(), Handle, [], true, <<>>}, Data), Data)
            end
    end;
send(Ref, Data, Flags, Handle) ->
    sent(send_pieces(Ref, {self(), Handle, Flags, true, <<>>}, Data, 0), Data).

%% The system takes no more of a large send than there is room for, so no more of it goes to Python than has room.
send_pieces(Ref, Args, Data, Before) when byte_size(Data) =< ?PIECE ->
    add(Before, call_with_data(Ref, socket_send, Args, Data));
send_pieces(Ref, Args, <<Piece:?PIECE/binary, Rest/binary>>, Before) ->
    case call_with_data(Ref, socket_send, setelement(4, Args, false), Piece) of
        ok -> send_pieces(Ref, Args, Rest, Before + ?PIECE);
        Other -> add(Before, Other)
    end.

add(0, Result) -> Result;
add(_, ok) -> ok;
add(Before, {ok, Written}) -> {ok, Before + Written};
add(Before, {select, Written, Cont}) -> {select, Before + Written, Cont};
add(Before, {select, Cont}) -> {select, Before, Cont};
add(_, {error, closed}) -> {error, closed};
%% The next call says what is wrong.
add(Before, {error, _}) -> {ok, Before}.

-spec sendto(ref(), binary(), tuple(), reference()) -> answer().
sendto(Ref, Data, {To, _, Flags}, Handle) ->
    sendto(Ref, Data, To, Flags, Handle).

-spec sendto(ref(), binary(), term(), list() | integer(), reference()) -> answer().
sendto(Ref, Data, To, Flags, Handle) ->
    Send = fun(Encoded) -> call_with_data(Ref, socket_sendto, {self(), Handle, Encoded, Flags, <<>>}, Data) end,
    case sent(with_address(To, Send), Data) of
        {select, Number} -> {select, {To, prim_socket:enc_sockaddr(To), Number}};
        {select, Rest, Number} -> {select, Rest, {To, prim_socket:enc_sockaddr(To), Number}};
        Other -> Other
    end.

%% Python says how much it has written, and `socket` how much is left.
sent({ok, Written}, Data) -> {ok, rest(Written, Data)};
sent({select, Written, Cont}, Data) -> {select, rest(Written, Data), Cont};
sent(Other, _) -> Other.

rest(Written, Data) ->
    <<_:Written/binary, Rest/binary>> = Data,
    Rest.

-spec sendmsg(ref(), list(), tuple(), reference()) -> answer().
sendmsg(Ref, IOV, {Msg, _, Flags}, Handle) ->
    sendmsg(Ref, Msg, Flags, Handle, IOV).

-spec sendmsg(ref(), map(), list() | integer(), reference(), list()) -> answer().
sendmsg(Ref, Msg, Flags, Handle, IOV) ->
    Send = fun(Encoded) -> call(Ref, socket_sendmsg, {self(), Handle, without_data(Encoded), Flags, IOV}) end,
    case with_address_in(Msg, Send) of
        {ok, Written} -> {ok, rest_iov(Written, IOV)};
        {select, Number} -> {select, {Msg, encoded(Msg), Number}};
        {select, Written, Number} -> {select, rest_iov(Written, IOV), {Msg, encoded(Msg), Number}};
        Other -> Other
    end.

%% A message as `prim_socket` has it: a SelectInfo shows it.
encoded(#{ctrl := []} = Msg) ->
    encoded(maps:remove(ctrl, Msg));
encoded(Msg) ->
    Part = fun
        (addr, Address) -> prim_socket:enc_sockaddr(Address);
        (ctrl, Controls) -> [Control#{level := level(Level)} || #{level := Level} = Control <- Controls];
        (_, Value) -> Value
    end,
    maps:map(Part, Msg).

level(Level) when is_atom(Level), Level =/= socket -> maps:get(Level, p_get(protocols));
level(Level) -> Level.

%% The data goes beside the message.
without_data(Msg) when is_map(Msg) -> maps:remove(iov, Msg);
without_data(Other) -> Other.

with_address_in(#{addr := Address} = Msg, Fun) ->
    case with_address(Address, fun(Encoded) -> Fun(Msg#{addr := Encoded}) end) of
        {error, {invalid, {msg, addr, _}}} -> {error, {invalid, {msg, addr, maps:with([addr], Msg)}}};
        Answer -> Answer
    end;
with_address_in(Msg, Fun) ->
    Fun(Msg).

%% From OTP 28 on.
-spec sendv(ref(), list(), reference()) -> answer().
sendv(Ref, IOV, Handle) ->
    case call(Ref, socket_sendv, {self(), Handle, IOV}) of
        {ok, Written} -> {ok, rest_iov(Written, IOV)};
        {select, Written} -> {select, rest_iov(Written, IOV)};
        Other -> Other
    end.

%% What is left of a list of binaries after so many bytes.
-spec rest_iov(non_neg_integer(), [binary()]) -> [binary()].
rest_iov(Written, [Binary | IOV]) when Written >= byte_size(Binary) -> rest_iov(Written - byte_size(Binary), IOV);
rest_iov(0, IOV) when is_list(IOV) -> IOV;
rest_iov(Written, [Binary | IOV]) -> [rest(Written, Binary) | IOV].

%% --- sendfile --------------------------------------------------------------

-spec sendfile(ref(), integer(), integer(), reference()) -> answer().
sendfile(Ref, Offset, Count, Handle) -> call(Ref, socket_sendfile, {self(), Handle, Offset, Count, none}).

%% `File` is the resource of a raw file, whose number is known to prim_file: -1 is that of one that is closed. A compressed
%% file has none.
-spec sendfile(ref(), term(), integer(), integer(), reference()) -> answer().
sendfile(Ref, File, Offset, Count, Handle) when is_reference(File) ->
    case prim_file:get_handle({file_descriptor, prim_file, #{handle => File, owner => self()}}) of
        <<Number:32/signed-native>> -> call(Ref, socket_sendfile, {self(), Handle, Offset, Count, Number});
        {error, einval} -> call(Ref, socket_sendfile, {self(), Handle, Offset, Count, -1});
        {error, Reason} -> error(Reason)
    end;
sendfile(Ref, File, Offset, Count, Handle) ->
    error(badarg, [Ref, File, Offset, Count, Handle]).

-spec sendfile_deferred_close(ref()) -> ok.
sendfile_deferred_close(_Ref) -> ok.

%% --- receiving -------------------------------------------------------------

-spec recv(ref(), integer(), list(), reference() | zero) -> answer().
recv(Ref, Length, [], Handle) when is_integer(Length), Length > 0 ->
    case inetpy_socket_ref:take(Ref, Length) of
        none -> ask_recv(Ref, Length, [], Handle);
        Data -> {ok, Data}
    end;
recv(Ref, Length, Flags, Handle) ->
    ask_recv(Ref, Length, Flags, Handle).

ask_recv(Ref, Length, Flags, Handle) ->
    call(Ref, socket_recv, {self(), Handle, Length, Flags, inetpy_socket_ref:taken(Ref)}).

-spec recvfrom(ref(), integer(), list(), reference() | zero) -> answer().
recvfrom(Ref, Length, Flags, Handle) -> call(Ref, socket_recvfrom, {self(), Handle, Length, Flags}).

-spec recvmsg(ref(), integer(), integer(), list(), reference() | zero) -> answer().
recvmsg(Ref, BufSz, CtrlSz, Flags, Handle) -> call(Ref, socket_recvmsg, {self(), Handle, BufSz, CtrlSz, Flags}).

%% --- the end ---------------------------------------------------------------

%% There is nothing to finalize: the socket is closed for all processes when there is an answer, also where Python has
%% still to close it.
-spec close(ref()) -> answer().
close(Ref) ->
    case where(Ref) of
        none ->
            {error, closed};
        Handle ->
            Taken = inetpy_socket_ref:taken(Ref),
            Answer = inetpy_handle:raise(inetpy_request:close({'$inet', ?MODULE, Handle}, socket_close, Taken)),
            ok = inetpy_socket_ref:close(Ref),
            Answer
    end.

-spec finalize_close(ref()) -> ok.
finalize_close(_Ref) -> ok.

-spec shutdown(ref(), term()) -> answer().
shutdown(Ref, How) -> call(Ref, socket_shutdown, How).

%% --- options and names -----------------------------------------------------

-spec setopt(ref(), term(), term()) -> answer().
setopt(Ref, {otp, controlling_process} = Option, Owner) when is_pid(Owner) ->
    call(Ref, socket_setopt, inetpy_context:around({self(), Option, Owner}, Owner));
setopt(Ref, Option, Value) ->
    call(Ref, socket_setopt, {self(), Option, Value}).

-spec setopt_native(ref(), term(), term()) -> answer().
setopt_native(Ref, Option, Value) -> call(Ref, socket_setopt_native, {Option, Value}).

-spec getopt(ref(), term()) -> answer().
getopt(Ref, Option) -> call(Ref, socket_getopt, Option).

-spec getopt_native(ref(), term(), term()) -> answer().
getopt_native(Ref, Option, Spec) -> call(Ref, socket_getopt_native, {Option, Spec}).

-spec sockname(ref()) -> answer().
sockname(Ref) -> call(Ref, socket_sockname, []).

-spec peername(ref()) -> answer().
peername(Ref) -> call(Ref, socket_peername, []).

-spec ioctl(ref(), term()) -> answer().
ioctl(Ref, Request) -> call(Ref, socket_ioctl, {Request, []}).

-spec ioctl(ref(), term(), term()) -> answer().
ioctl(Ref, Request, Argument) -> call(Ref, socket_ioctl, {Request, [Argument]}).

-spec ioctl(ref(), term(), term(), term()) -> answer().
ioctl(Ref, Request, Argument1, Argument2) -> call(Ref, socket_ioctl, {Request, [Argument1, Argument2]}).

%% `Op` is the operation that waits: recv, send, accept, connect or one like these.
-spec cancel(ref(), atom(), reference()) -> answer().
cancel(Ref, Op, Handle) -> call(Ref, socket_cancel, {self(), Op, Handle}).

-spec info(ref()) -> map().
info(Ref) -> call(Ref, socket_info, []).

%% --- addresses -------------------------------------------------------------

%% Addresses in arguments of ioctl. Python checks them.
-spec enc_sockaddr(term()) -> term().
enc_sockaddr(Address) -> Address.

%% Calls Fun with an address whose path is bytes: how a text becomes bytes depends on this node. An answer that says
%% what is wrong with an address has the address as it was given.
with_address(#{family := local, path := Path} = Address, Fun) when is_list(Path), length(Path) =< 255 ->
    case unicode:characters_to_binary(Path, file:native_name_encoding()) of
        Bytes when is_binary(Bytes) ->
            Encoded = Address#{path := Bytes},
            case Fun(Encoded) of
                {error, {invalid, {sockaddr, Encoded}}} -> {error, {invalid, {sockaddr, Address}}};
                Answer -> Answer
            end;
        _ ->
            {error, {invalid, {path, Path}}}
    end;
with_address(Address, Fun) ->
    Fun(Address).

with_addresses([], Encoded, Fun) ->
    Fun(lists:reverse(Encoded));
with_addresses([Address | Addresses], Before, Fun) ->
    with_address(Address, fun(Encoded) -> with_addresses(Addresses, [Encoded | Before], Fun) end);
with_addresses(NoList, Before, _) ->
    %% an address that is wrong says so first
    _ = [prim_socket:enc_sockaddr(Address) || Address <- lists:reverse(Before)],
    erlang:error({bad_generator, NoList}).

path_in(Key, Map) ->
    case Map of
        #{Key := Path} when is_list(Path) ->
            try unicode:characters_to_binary(Path, file:native_name_encoding()) of
                Bytes when is_binary(Bytes) -> Map#{Key := Bytes};
                _ -> Map
            catch
                error:badarg -> Map
            end;
        #{} ->
            Map
    end.

%% --- calls -----------------------------------------------------------------

call(Ref, Op, Args) -> call_of(where(Ref), Op, Args).

call_of(Where, Op, Args) ->
    case Where of
        none -> {error, closed};
        Handle -> inetpy_handle:raise(inetpy_request:call({'$inet', ?MODULE, Handle}, Op, Args))
    end.

call_with_data(Ref, Op, Args, Data) ->
    case where(Ref) of
        none -> {error, closed};
        Handle -> call_with_data_of(Handle, Op, Args, Data)
    end.

call_with_data_of(Handle, Op, Args, Data) ->
    inetpy_handle:raise(inetpy_request:call_with_data(Handle, Op, Args, Data)).

%% Python takes a negative number for that of a closed socket: it checks the arguments, and says so.
where(Ref) ->
    case inetpy_socket_ref:where(Ref) of
        gone -> closed_socket();
        Handle -> Handle
    end.

closed_socket() ->
    case inetpy_bridges:next(any, infinity) of
        {ok, Bridge, Out} -> {Bridge, Out, -1};
        {error, _} -> none
    end.
