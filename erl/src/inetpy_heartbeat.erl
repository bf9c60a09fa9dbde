%% Whether Python answers: a ping every second, a line in the log when no pong comes for long, and the answers
%% of inetpy_bridge:is_responsive/1. A Python on another host that is silent for longer is gone: its host may have
%% vanished, and then no packet says that the connection is over.
%%
%% The bridge calls these functions, sends the pings that they answer with, and passes on the messages
%% `{heartbeat, Event}`, which are timers.
-module(inetpy_heartbeat).

-export([new/1, start/1, is_over/2, handle/2, ask/2, pong/1]).
-export_type([heartbeat/0, event/0, ping/0]).

%% In ms: between two pings; how long a caller of ask/2 waits for a pong; and after which silence there is
%% a line in the log.
-define(INTERVAL, 1000).
-define(PATIENCE, 400).
-define(LONG_SILENCE, 5000).
%% In ms: the silence that ends a link to another host.
-define(END_OF_LINK, 30000).

-record(heartbeat, {
    %% For the log.
    os_pid :: non_neg_integer() | undefined,
    %% When the ping was sent that has no pong yet, in ms.
    pinged_at :: integer() | undefined,
    %% Whether the log says that Python is silent.
    silence_logged = false :: boolean(),
    %% Callers that wait for a pong, with the timers that end their waiting.
    callers = #{} :: #{gen_server:from() => reference()}
}).
-opaque heartbeat() :: #heartbeat{}.
-type event() :: ping | {no_pong, gen_server:from()}.
-type ping() :: {ping, SentAt :: integer()}.

-spec new(non_neg_integer() | undefined) -> heartbeat().
new(OsPid) -> #heartbeat{os_pid = OsPid}.

%% The first ping, when Python has greeted.
-spec start(heartbeat()) -> {[ping()], heartbeat()}.
start(Heartbeat) -> handle(ping, Heartbeat).

-spec handle(event(), heartbeat()) -> {[ping()], heartbeat()}.
handle(ping, Heartbeat) ->
    _ = erlang:send_after(?INTERVAL, self(), {heartbeat, ping}),
    ping(Heartbeat);
handle({no_pong, Caller}, #heartbeat{callers = Callers} = Heartbeat) ->
    _ = [gen_server:reply(Caller, false) || is_map_key(Caller, Callers)],
    {[], Heartbeat#heartbeat{callers = maps:remove(Caller, Callers)}}.

%% Whether the silence ends the link. A Python on this host is known to be there: it is stopped, or in a debugger.
-spec is_over(IsLocal :: boolean(), heartbeat()) -> boolean().
is_over(true, _) -> false;
is_over(false, #heartbeat{pinged_at = undefined}) -> false;
is_over(false, Heartbeat) -> silence(Heartbeat) >= application:get_env(inetpy, silence_ms, ?END_OF_LINK).

%% The caller gets true with the next pong, or false when none comes in time.
-spec ask(gen_server:from(), heartbeat()) -> {[ping()], heartbeat()}.
ask(Caller, #heartbeat{callers = Callers} = Heartbeat) ->
    Timer = erlang:send_after(?PATIENCE, self(), {heartbeat, {no_pong, Caller}}),
    ping(Heartbeat#heartbeat{callers = Callers#{Caller => Timer}}).

%% One ping at a time. Python learns the node's clock from pings, and would learn a wrong time from one that has
%% waited behind another.
ping(#heartbeat{pinged_at = undefined} = Heartbeat) ->
    Now = erlang:monotonic_time(millisecond),
    {[{ping, Now}], Heartbeat#heartbeat{pinged_at = Now}};
ping(Heartbeat) ->
    {[], log_silence(silence(Heartbeat), Heartbeat)}.

log_silence(Silence, #heartbeat{silence_logged = false} = Heartbeat) when Silence >= ?LONG_SILENCE ->
    logger:warning(
        "Python (process ~ts) has not answered for ~b s. Is it stopped, in a debugger, or swapped out? "
        "Calls of its sockets wait; those with a timeout end in time.",
        [process(Heartbeat#heartbeat.os_pid), Silence div 1000],
        #{application => inetpy}
    ),
    Heartbeat#heartbeat{silence_logged = true};
log_silence(_, Heartbeat) ->
    Heartbeat.

%% Python has answered.
-spec pong(heartbeat()) -> heartbeat().
pong(#heartbeat{callers = Callers, silence_logged = Logged, os_pid = OsPid} = Heartbeat) ->
    maps:foreach(
        fun(Caller, Timer) ->
            _ = erlang:cancel_timer(Timer),
            gen_server:reply(Caller, true)
        end,
        Callers
    ),
    _ = [
        logger:notice(
            "Python (process ~ts) answers again, after ~b s.",
            [process(OsPid), silence(Heartbeat) div 1000],
            #{application => inetpy}
        )
     || Logged
    ],
    Heartbeat#heartbeat{pinged_at = undefined, silence_logged = false, callers = #{}}.

process(undefined) -> "unknown";
process(OsPid) -> integer_to_list(OsPid).

silence(#heartbeat{pinged_at = PingedAt}) ->
    erlang:monotonic_time(millisecond) - PingedAt.
