%% A node that goes down while an application uses sockets. The application prints what it sees.
%%
%% Run by tests/test_suites.py on stock sockets and on Python's: both print the same. The
%% application starts before inetpy, and so ends after it.
-module(inetpy_going_down).
-behaviour(application).
-behaviour(gen_server).

-export([main/1]).
-export([start/2, prep_stop/1, stop/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-define(LOOPBACK, {127, 0, 0, 1}).

%% Way is `inet` or `inetpy`. How is `init_stop`, or `permanent`: then a permanent application ends.
-spec main([string()]) -> ok.
main([Way, How]) ->
    Application = {application, ?MODULE, [
        {vsn, "1"}, {modules, [?MODULE]}, {registered, [?MODULE]}, {applications, [kernel, stdlib]}, {mod, {?MODULE, []}}
    ]},
    ok = application:load(Application),
    ok = application:start(?MODULE),
    _ = [ok = inetpy:install() || Way =:= "inetpy"],
    Port = echo_server(),
    ok = gen_server:call(?MODULE, {connect, Port}),
    outsider(Port),
    go_down(How).

go_down("init_stop") ->
    init:stop();
go_down("permanent") ->
    ok = application:load({application, needed, [{vsn, "1"}, {applications, [kernel, stdlib]}, {mod, {?MODULE, needed}}]}),
    ok = application:start(needed, permanent),
    exit(whereis(needed), kill),
    ok.

%% Processes that belong to no application.
echo_server() ->
    Self = self(),
    spawn(fun() ->
        {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ip, ?LOOPBACK}]),
        Self ! inet:port(L),
        serve(L)
    end),
    receive {ok, Port} -> Port end.

serve(L) ->
    {ok, S} = gen_tcp:accept(L),
    Server = spawn(fun() -> receive go -> echo(S) end end),
    ok = gen_tcp:controlling_process(S, Server),
    Server ! go,
    serve(L).

echo(S) ->
    case gen_tcp:recv(S, 0) of
        {ok, Data} -> _ = gen_tcp:send(S, Data), echo(S);
        {error, _} -> ok
    end.

%% Prints the messages that it gets. There should be none.
outsider(Port) ->
    Self = self(),
    spawn(fun() ->
        {ok, S} = gen_tcp:connect(?LOOPBACK, Port, [{active, true}]),
        {ok, U} = gen_udp:open(0, [{active, true}]),
        Self ! connected,
        receive Message -> say({outsider, element(1, Message)}) end,
        {S, U}
    end),
    receive connected -> ok end.

%% Standard error: it is written at once, and its process does not end with the applications.
say(Term) -> io:format(standard_error, "~p~n", [Term]).

%% --- application -----------------------------------------------------------

-spec start(application:start_type(), term()) -> {ok, pid()}.
start(_Type, needed) ->
    {ok, spawn_link(fun() -> register(needed, self()), receive stop -> ok end end)};
start(_Type, []) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec prep_stop(term()) -> term().
prep_stop([]) ->
    say({prep_stop, gen_server:call(?MODULE, {say, "prep_stop"})}),
    [];
prep_stop(State) ->
    State.

-spec stop(term()) -> ok.
stop([]) ->
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ip, ?LOOPBACK}]),
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect(?LOOPBACK, Port, []),
    {ok, S} = gen_tcp:accept(L, 5000),
    ok = gen_tcp:send(C, "stop"),
    say({stop, gen_tcp:recv(S, 0, 5000)}).

%% --- gen_server ------------------------------------------------------------

-spec init([]) -> {ok, none}.
init([]) ->
    process_flag(trap_exit, true),
    {ok, none}.

-spec handle_call(term(), gen_server:from(), term()) -> {reply, term(), term()}.
handle_call({connect, Port}, _From, none) ->
    {ok, S} = gen_tcp:connect(?LOOPBACK, Port, [binary, {active, true}]),
    {reply, ok, S};
handle_call({say, Text}, _From, S) ->
    {reply, echoed(S, Text), S}.

-spec handle_cast(term(), term()) -> {noreply, term()}.
handle_cast(_, S) -> {noreply, S}.

-spec handle_info(term(), term()) -> {noreply, term()}.
handle_info(Message, S) ->
    say({got, element(1, Message)}),
    {noreply, S}.

-spec terminate(term(), term()) -> ok.
terminate(_Reason, S) ->
    say({terminate, echoed(S, "terminate"), inet:getopts(S, [active])}),
    say({mailbox, process_info(self(), message_queue_len)}).

echoed(S, Text) ->
    Sent = gen_tcp:send(S, Text),
    receive
        {tcp, S, Data} -> {Sent, Data};
        {tcp_closed, S} -> {Sent, closed}
    after 5000 -> {Sent, nothing}
    end.
