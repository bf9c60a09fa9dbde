%% The functions of a handler of sockets that are the same for TCP and UDP: gen_tcp, gen_udp and inet call
%% them on the module that stands in the socket.

-export([setopts/2, getopts/2, sockname/1, peername/1, socknames/1]).
-export([getstat/2, monitor/1, cancel_monitor/1, info/1, socket_to_list/1]).

-type socket() :: inetpy_handle:socket().
-export_type([socket/0]).

-spec setopts(socket(), list()) -> ok | {error, term()}.
setopts(Socket, Opts) -> inetpy_handle:setopts(Socket, Opts).

-spec getopts(socket(), list()) -> {ok, list()} | {error, term()}.
getopts(Socket, Opts) -> inetpy_handle:getopts(Socket, Opts).

-spec sockname(socket()) -> {ok, tuple()} | {error, term()}.
sockname(Socket) -> inetpy_handle:sockname(Socket).

-spec peername(socket()) -> {ok, tuple()} | {error, term()}.
peername(Socket) -> inetpy_handle:peername(Socket).

-spec socknames(socket()) -> {ok, [tuple()]} | {error, term()}.
socknames(Socket) -> inetpy_handle:socknames(Socket).

-spec getstat(socket(), [inet:stat_option()]) -> {ok, list()} | {error, term()}.
getstat(Socket, What) -> inetpy_handle:getstat(Socket, What).

-spec monitor(socket()) -> reference().
monitor(Socket) -> inetpy_handle:monitor(Socket).

-spec cancel_monitor(reference()) -> boolean().
cancel_monitor(Ref) -> inetpy_handle:cancel_monitor(Ref).

-spec info(socket()) -> map().
info(Socket) -> inetpy_handle:info(Socket).

-spec socket_to_list(socket()) -> string().
socket_to_list(Socket) -> inetpy_handle:socket_to_list(Socket).
