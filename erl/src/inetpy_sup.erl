%% The supervisor of the bridges. A bridge that dies is started again; its
%% sockets are gone, as those of a node that is restarted, and those of others go on.
-module(inetpy_sup).
-behaviour(supervisor).

-export([start_link/0]).
-export([init/1]).

-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    Bridges = [
        #{
            id => {inetpy_bridge, Number},
            start => {inetpy_bridge, start_link, [Number]},
            %% Time for Python to see the end of its input and go.
            shutdown => 2000
        }
     || Number <- lists:seq(1, inetpy_bridges:init())
    ],
    {ok, {#{strategy => one_for_one, intensity => 10, period => 10}, Bridges}}.
