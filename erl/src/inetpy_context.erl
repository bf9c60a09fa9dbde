%% What a request that opens a socket says of its caller while a network is in play: the name that the program asked
%% for, and the lineage of the socket's owner (inetpy_lineage). For example `gen_tcp:connect("db.test", 5432, [])` asks
%% Python for an address of `db.test`, and then connects to `{198, 18, 0, 1}`. A rule for the host `db.*` needs the
%% name, so the arguments of connect become `{context, {<<"db.test">>, Lineage}, Args}`.
%%
%% A network is in play while there is a rule of this node, or while a Python says so. Whether one is, is a persistent
%% term, which only the functions that open sockets read. It is put together from flags: one for the rules of this
%% node, and one for each bridge.
-module(inetpy_context).

-export([init/1, set/2, around/2, connecting/2, naming/2, asked/3]).
-export_type([source/0]).

%% Who says that something is in play: the rules of this node, or the bridge of a number.
-type source() :: rules | pos_integer().

%% In the process dictionary of a process that has looked a name up, until it connects: the name, and the addresses
%% to which it has not connected yet.
-define(ASKED, '$inetpy_asked').

%% With so many bridges, before the first is started. Nothing is in play.
-spec init(pos_integer()) -> ok.
init(Bridges) ->
    persistent_term:put({?MODULE, flags}, atomics:new(Bridges + 1, [{signed, false}])),
    settle().

%% Says that something is in play, or no longer.
-spec set(source(), boolean()) -> ok.
set(Source, IsOn) ->
    ok = atomics:put(flags(), flag(Source), number(IsOn)),
    settle().

flags() -> persistent_term:get({?MODULE, flags}).

flag(rules) -> 1;
flag(Bridge) -> Bridge + 1.

number(true) -> 1;
number(false) -> 0.

%% Makes the term what the flags say. Another process can change a flag and the term at the same time: the last one
%% that looks at the flags after its change has the final word.
settle() ->
    IsOn = is_any_set(),
    ok = put_term(IsOn),
    case is_any_set() of
        IsOn -> ok;
        _ -> settle()
    end.

is_any_set() ->
    Flags = flags(),
    #{size := Size} = atomics:info(Flags),
    lists:any(fun(N) -> atomics:get(Flags, N) =:= 1 end, lists:seq(1, Size)).

put_term(true) ->
    persistent_term:put(?MODULE, true);
put_term(false) ->
    _ = persistent_term:erase(?MODULE),
    ok.

is_on() -> persistent_term:get(?MODULE, false).

%% The arguments of a request that opens a socket, or gives one to Owner.
-spec around(term(), pid()) -> term().
around(Args, Owner) ->
    case is_on() of
        false -> Args;
        true -> {context, {undefined, inetpy_lineage:of_process(Owner)}, Args}
    end.

%% The arguments of a request of this process that connects to Address.
-spec connecting(term(), term()) -> term().
connecting(Args, Address) ->
    case is_on() of
        false -> Args;
        true -> {context, {asked_for(Address), inetpy_lineage:of_process(self())}, Args}
    end.

%% The arguments of a request of this process that connects to a name, or to an address that is the name.
-spec naming(term(), term()) -> term().
naming(Args, Name) ->
    case is_on() of
        false -> Args;
        true -> {context, {text(Name), inetpy_lineage:of_process(self())}, Args}
    end.

%% Remembers the name of a lookup of inetpy_tcp, for the connect that follows.
-spec asked(module(), term(), Result) -> Result when Result :: {ok, term()} | {error, term()}.
asked(inetpy_tcp, Name, Result) ->
    case is_on() of
        false -> Result;
        true -> remember(Name, Result), Result
    end;
asked(_, _, Result) ->
    Result.

remember(Name, {ok, Addresses}) when is_list(Addresses) -> _ = put(?ASKED, {text(Name), Addresses}), ok;
remember(Name, {ok, Address}) -> remember(Name, {ok, [Address]});
remember(_, {error, _}) -> _ = erase(?ASKED), ok.

%% The name whose lookup gave Address. gen_tcp tries the addresses of a name in their order, so the name is needed
%% until the last.
asked_for(#{addr := Word}) when is_atom(Word) ->
    undefined;
asked_for(#{addr := Address}) ->
    asked_for(Address);
asked_for(Address) ->
    case erase(?ASKED) of
        {Name, Addresses} -> asked_for(Address, Name, lists:dropwhile(fun(A) -> A =/= Address end, Addresses));
        undefined -> text(Address)
    end.

asked_for(Address, _, []) ->
    text(Address);
asked_for(_, Name, [_]) ->
    Name;
asked_for(_, Name, [_ | Others]) ->
    _ = put(?ASKED, {Name, Others}),
    Name.

%% A name or an address as text.
text(#{addr := Address}) -> text(Address);
text(#{path := Path}) -> text(Path);
text({local, Path}) -> text(Path);
text(Name) when is_binary(Name) -> Name;
text(Name) when is_atom(Name) -> atom_to_binary(Name);
text(Name) when is_list(Name) -> characters(Name);
text(Address) ->
    case inet:ntoa(Address) of
        Text when is_list(Text) -> list_to_binary(Text);
        {error, einval} -> undefined
    end.

characters(Name) ->
    try unicode:characters_to_binary(Name) of
        Text when is_binary(Text) -> Text;
        _ -> undefined
    catch
        error:badarg -> undefined
    end.
