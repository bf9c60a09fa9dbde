%% A rule as inetpy_fault's users write it, and as it goes to Python; and the path of a file.
%%
%% Texts become binaries, addresses become texts, and the name of an application becomes `{application, Name}`. Which
%% words there are, Python knows, and refuses the others.
-module(inetpy_fault_terms).

-export([rule/3, why/1, path/1]).
-export_type([rule/0]).

-type rule() :: {Whom :: map(), What :: {atom(), map()}, When :: map()}.

-spec rule(term(), term(), term()) -> {ok, rule()} | {error, {bad_rule, string()}}.
rule(Whom, What, When) ->
    Checks = [
        {is_map(Whom), "whom a rule concerns is a map, such as #{port => 5432}"},
        {is_what(What), "what happens is a word, or {Word, Map}, such as {latency, #{ms => 200}}"},
        {is_map(When), "when it happens is a map, such as #{'when' => {nth, 2}}"},
        {is_map(Whom) andalso is_owner(Whom), "an owner is a pid, a registered name or the name of an application"}
    ],
    case [Why || {false, Why} <- Checks] of
        [] -> {ok, {maps:map(fun whom/2, Whom), what(What), When}};
        [Why | _] -> bad(Why)
    end.

%% What Python says of a rule that it refuses.
-spec why(binary() | string()) -> {error, {bad_rule, string()}}.
why(Why) -> bad(unicode:characters_to_list(Why)).

bad(Why) -> {error, {bad_rule, Why}}.

%% The whole path of a file, as the system has it: in the locale C a list has its bytes.
-spec path(term()) -> binary() | error.
path(File) when is_list(File); is_binary(File) ->
    try native(filename:absname(File)) of
        Path when is_binary(Path) -> Path;
        _ -> error
    catch
        error:_ -> error
    end;
path(_) ->
    error.

native(Path) when is_list(Path) -> unicode:characters_to_binary(Path, unicode, file:native_name_encoding());
native(Path) -> Path.

is_what({Word, Arguments}) -> is_atom(Word) andalso is_map(Arguments);
is_what(Word) -> is_atom(Word).

is_owner(#{owner := {application, Name}}) -> is_atom(Name);
is_owner(#{owner := Owner}) -> is_pid(Owner) orelse (is_atom(Owner) andalso Owner =/= undefined);
is_owner(_) -> true.

what({Word, Arguments}) -> {Word, maps:map(fun(_, Value) -> text(Value) end, Arguments)};
what(Word) -> {Word, #{}}.

whom(owner, Name) when is_atom(Name) -> owner(Name);
whom(peer, IP) when tuple_size(IP) =:= 4; tuple_size(IP) =:= 8 -> address(IP);
whom(_, Value) -> text(Value).

%% A registered name comes before an application of the same name.
owner(Name) ->
    case whereis(Name) =:= undefined andalso lists:keymember(Name, 1, application:loaded_applications()) of
        true -> {application, Name};
        false -> Name
    end.

address(IP) ->
    case inet:ntoa(IP) of
        Text when is_list(Text) -> list_to_binary(Text);
        {error, einval} -> IP
    end.

%% A list of characters as a binary. Python has no other use for lists.
text([_ | _] = List) ->
    case io_lib:printable_unicode_list(List) of
        true -> unicode:characters_to_binary(List);
        false -> List
    end;
text(Value) ->
    Value.
