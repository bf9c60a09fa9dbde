%% The supervisor of the keepers: each keeps one bridge running.
-module(inetpy_sup).
-behaviour(supervisor).

-export([start_link/0]).
-export([init/1]).

-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    Keepers = [
        #{id => {inetpy_keeper, Number}, start => {inetpy_keeper, start_link, [Number, Spec]}}
     || {Number, Spec} <- lists:enumerate(inetpy_bridges:init())
    ],
    {ok, {#{strategy => one_for_one, intensity => 10, period => 10}, Keepers}}.
