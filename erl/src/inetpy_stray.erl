%% Messages of sockets that nobody has received, in the mailboxes of processes.
%%
%% Python asks {stray, Number, Pids}, for a trace. The answer is the request {trace_stray, {Number, [{Pid, [Text]}]}}, with
%% the processes that have such messages.
-module(inetpy_stray).

-export([messages/1, tell/3]).

%% They stay in the mailbox. A process that has ended has none, and one of another node is not looked at.
-spec messages(pid()) -> [tuple()].
messages(Pid) when node(Pid) =:= node() ->
    case process_info(Pid, messages) of
        {messages, Messages} -> [Message || Message <- Messages, is_of_socket(Message)];
        undefined -> []
    end;
messages(_) ->
    [].

is_of_socket({'$socket', {'$socket', _}, Tag, _}) -> Tag =:= select orelse Tag =:= abort;
is_of_socket(Message) when is_tuple(Message), tuple_size(Message) >= 2 ->
    Words = [tcp, tcp_closed, tcp_error, tcp_passive, udp, udp_error, udp_passive, http, ssl_tls],
    lists:member(element(1, Message), Words) andalso is_socket(element(2, Message));
is_of_socket(_) ->
    false.

is_socket({'$inet', _, _}) -> true;
is_socket(Port) -> is_port(Port).

%% The caller, which forwards frames, does not wait.
-spec tell(pos_integer(), integer(), [pid()]) -> ok.
tell(Bridge, Number, Pids) ->
    _ = spawn(fun() ->
        Found = [{Pid, lists:map(fun text/1, Messages)} || Pid <- Pids, (Messages = messages(Pid)) =/= []],
        inetpy_faults:ask_bridge(Bridge, {trace_stray, {Number, Found}})
    end),
    ok.

text(Message) -> unicode:characters_to_binary(io_lib:format("~0tP", [Message, 20])).
