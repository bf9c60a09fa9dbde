%% The link to a Python that runs already, and serves nodes: `inetpy serve unix:/path`. Frames on a socket of the stock
%% driver, also where the node is on Python sockets, or of OTP's `ssl` on top of one.
%%
%% The bridge process reads from the socket, and a writer process writes the frames of all callers. Frames that wait in
%% the writer's mailbox leave in one call of `send`.
-module(inetpy_stream).
-behaviour(inetpy_link).

-export([starts_python/0, name/1, open/1, read/2, send/2, close/1, kill/1]).

%% In ms: to connect, and for the TLS handshake.
-define(PATIENCE, 5000).
-define(PROTOCOL, 1).
-define(BUFFER, (1 bsl 17)).
%% Bytes after which the writer collects no more frames for one call.
-define(BATCH, (1 bsl 16)).

-type transport() :: {gen_tcp | ssl, Socket :: term()}.
-record(state, {
    url :: inetpy_url:url(),
    transport :: transport(),
    writer :: pid(),
    has_heard = false :: boolean(),
    frames = inetpy_frames:new() :: inetpy_frames:buffer()
}).

-spec starts_python() -> false.
starts_python() -> false.

-spec name(inetpy_url:url()) -> string().
name(Url) -> inetpy_url:text(Url).

-spec open(inetpy_url:url()) -> {ok, inetpy_link:peer(), #state{}} | {error, inetpy_link:reason()}.
open(Url) ->
    case inetpy_url:token(Url) of
        {ok, Token} ->
            case connect(inetpy_url:addresses(Url), Url) of
                {ok, Transport} -> begun(Transport, Token, Url);
                {error, Text} -> {error, reason(Url, Text)}
            end;
        {error, Text} ->
            {error, reason(Url, Text)}
    end.

begun(Transport, Token, Url) ->
    Writer = spawn_link(fun() -> write(Transport) end),
    Writer ! {write, [term_to_binary({connect, ?PROTOCOL, Token})]},
    _ = activate(Transport),  % an error comes as a message, too
    Peer = #{out => Writer, is_local => inetpy_url:is_local(Url), os_pid => undefined},
    {ok, Peer, #state{url = Url, transport = Transport, writer = Writer}}.

activate({gen_tcp, Socket}) -> inet:setopts(Socket, [{active, true}]);
activate({Ssl, Socket}) -> Ssl:setopts(Socket, [{active, true}]).

reason(Url, Text) -> {inetpy_python, lists:append(["the bridge ", inetpy_url:text(Url), ": ", Text])}.

%% If none answers, the error is that of the first: IPv4 comes first, and IPv6 is often not there at all.
connect([{Address, Port, Family} | Others], Url) ->
    case gen_tcp:connect(Address, Port, options(Family), ?PATIENCE) of
        {ok, Socket} ->
            transport(inetpy_url:is_tls(Url), Socket, Url);
        {error, Reason} ->
            case Others =/= [] andalso connect(Others, Url) of
                {ok, _} = Connected -> Connected;
                _ -> {error, inet:format_error(Reason) ++ advice(Reason)}
            end
    end.

advice(Reason) when Reason =:= enoent; Reason =:= econnrefused -> ": start `inetpy serve` there";
advice(eacces) -> ": the server has to give it a group: ?mode=660&group=NAME";
advice(_) -> "".

%% With these options the socket is one of the stock driver, whatever the node has as its default.
options(Family) ->
    NoDelay = [{nodelay, true} || Family =/= local],
    [{inet_backend, inet}, Family, binary, {packet, raw}, {active, false}, {buffer, ?BUFFER} | NoDelay].

transport(false, Socket, _) ->
    {ok, {gen_tcp, Socket}};
transport(true, Socket, Url) ->
    case inetpy_tls:upgrade(Socket, Url, ?PATIENCE) of
        {ok, Tls} -> {ok, {ssl, Tls}};
        {error, _} = Error -> ok = gen_tcp:close(Socket), Error
    end.

-spec read(term(), #state{}) -> {[binary()], #state{}} | {down, inetpy_link:reason()} | ignore.
read({Tag, Socket, Bytes}, #state{transport = {_, Socket}, frames = Frames, url = Url} = State) when
    Tag =:= tcp; Tag =:= ssl
->
    case inetpy_frames:feed(Bytes, Frames) of
        {Whole, Rest} -> {Whole, State#state{frames = Rest, has_heard = true}};
        no_frames -> {down, reason(Url, "what answers there is no `inetpy serve`")}
    end;
read({Tag, Socket}, #state{transport = {_, Socket}} = State) when Tag =:= tcp_closed; Tag =:= ssl_closed ->
    {down, lost(State)};
read({Tag, Socket, Reason}, #state{transport = {_, Socket}, url = Url} = State) when
    Tag =:= tcp_error; Tag =:= ssl_error
->
    case Reason of
        {tls_alert, {_, Text}} -> {down, reason(Url, lists:flatten(io_lib:format("~ts", [Text])))};
        _ -> {down, lost(State)}
    end;
read({'EXIT', Writer, _}, #state{writer = Writer} = State) ->
    {down, lost(State)};
read(_, _) ->
    ignore.

lost(#state{url = Url, has_heard = true}) ->
    reason(Url, "the connection is lost");
lost(#state{url = Url, has_heard = false}) ->
    reason(Url, "it was closed before the greeting. The log of `inetpy serve` says why").

-spec send(iodata(), #state{}) -> {ok, #state{}}.
send(Frame, #state{writer = Writer} = State) ->
    Writer ! {write, Frame},
    {ok, State}.

%% What waits for the writer is for a Python that is to end all sockets of this node.
-spec close(#state{}) -> ok.
close(#state{transport = Transport, writer = Writer}) ->
    true = unlink(Writer),
    exit(Writer, kill),
    close_transport(Transport).

%% Without waiting for a peer that takes nothing.
close_transport({gen_tcp, Socket}) ->
    _ = case inet:getstat(Socket, [send_pend]) of
        {ok, [{send_pend, Bytes}]} when Bytes > 0 -> inet:setopts(Socket, [{linger, {true, 0}}]);
        _ -> ok
    end,
    gen_tcp:close(Socket);
close_transport({Ssl, Socket}) ->
    _ = Ssl:close(Socket),
    ok.

-spec kill(#state{}) -> ok.
kill(State) -> close(State).

%% --- the writer ------------------------------------------------------------

%% While the socket takes nothing, this process waits in `send`, and frames wait in its mailbox: one for each caller
%% that waits for an answer. For callers with a timeout, which can give up and come again, see inetpy_link:try_write/2.
write({Module, Socket} = Transport) ->
    receive
        {write, Frame} ->
            case Module:send(Socket, batch(Frame)) of
                ok -> write(Transport);
                {error, _} -> exit(closed)
            end
    end.

batch(Frame) -> batch(Frame, 0, []).

batch(Frame, Size, Frames) ->
    Bytes = iolist_size(Frame),
    Framed = [<<Bytes:32>>, Frame],
    case Size + Bytes of
        Total when Total < ?BATCH ->
            receive
                {write, Next} -> batch(Next, Total, [Frames | Framed])
            after 0 -> [Frames | Framed]
            end;
        _ ->
            [Frames | Framed]
    end.
