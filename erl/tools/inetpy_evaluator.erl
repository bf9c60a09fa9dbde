%% The work of inetpy_agent, in the process of a test: Erlang and Elixir as text, calls, modules to compile.
-module(inetpy_evaluator).

-export([result/1, ended/1, too_large/2]).

-export_type([work/0, exception/0]).

-type work() ::
    {eval | until | elixir, Source :: binary(), Bindings :: #{atom() => term()}, Milliseconds :: non_neg_integer()}
    | {call, module(), atom(), [term()]}
    | {compile, file:filename_all(), Shown :: binary(), [term()]}.
%% `syntax`, `compile`, `elixir` and `until` are of this module. Their reason is text.
-type exception() :: {
    error | exit | throw | syntax | compile | elixir | until, term(), Text :: binary(), [erlang:stack_item()]
}.

%% In ms: between two looks of `until`.
-define(LOOK, 5).
%% Modules whose frames say nothing to a user.
-define(HIDDEN, [?MODULE, inetpy_agent, erl_eval, elixir, elixir_eval, 'Elixir.Code', 'Elixir.Module.ParallelChecker']).

-spec result(work()) -> {ok, term()} | {raised, exception()}.
result(Work) ->
    try
        {ok, work(Work)}
    catch
        throw:{?MODULE, Kind, Text} -> {raised, {Kind, Text, Text, []}};
        Class:Reason:Stack -> {raised, exception(Work, Class, Reason, Stack)}
    end.

%% The process of the work was ended by a signal.
-spec ended(term()) -> exception().
ended(Reason) ->
    Text = io_lib:format("an exit signal has ended the process: ~0tP", [Reason, 50]),
    {exit, Reason, unicode:characters_to_binary(Text), []}.

%% The work has given more than can be sent.
-spec too_large(pos_integer(), pos_integer()) -> exception().
too_large(Size, Most) ->
    Text = io_lib:format("an answer of ~b bytes is not sent: ~b at most", [Size, Most]),
    {error, system_limit, unicode:characters_to_binary(Text), []}.

work({eval, Source, Bindings, _}) ->
    value(parsed(Source), Bindings);
work({until, Source, Bindings, Milliseconds}) ->
    until(parsed(Source), Bindings, erlang:monotonic_time(millisecond) + Milliseconds);
work({elixir, Source, Bindings, _}) ->
    {ok, _} = application:ensure_all_started(elixir),
    Code = 'Elixir.Code',
    {Value, _} = Code:eval_string(Source, maps:to_list(Bindings)),
    Value;
work({call, Module, Function, Arguments}) ->
    apply(Module, Function, Arguments);
work({compile, File, Shown, Options}) ->
    compile(File, Shown, Options).

value(Expressions, Bindings) ->
    {value, Value, _} = erl_eval:exprs(Expressions, Bindings, {value, fun no_function/2}),
    Value.

-spec no_function(atom(), [term()]) -> no_return().
no_function(Name, Arguments) ->
    failed(syntax, "there is no function ~tp/~b: write the name of its module too", [Name, length(Arguments)]).

until(Expressions, Bindings, Deadline) ->
    case value(Expressions, Bindings) of
        Value when Value =:= false; Value =:= undefined ->
            case erlang:monotonic_time(millisecond) >= Deadline of
                true -> failed(until, "the value is still ~p", [Value]);
                false -> timer:sleep(?LOOK), until(Expressions, Bindings, Deadline)
            end;
        Value ->
            Value
    end.

%% --- text ------------------------------------------------------------------

parsed(Source) ->
    case erl_scan:string(unicode:characters_to_list(Source), {1, 1}) of
        {ok, Tokens, End} -> parsed(Source, with_dot(Tokens, End));
        {error, Error, _} -> not_parsed(Source, Error)
    end.

parsed(Source, Tokens) ->
    case erl_parse:parse_exprs(Tokens) of
        {ok, Expressions} -> Expressions;
        {error, Error} -> not_parsed(Source, Error)
    end.

with_dot(Tokens, End) ->
    case lists:reverse(Tokens) of
        [{dot, _} | _] -> Tokens;
        _ -> Tokens ++ [{dot, End}]
    end.

-spec not_parsed(binary(), tuple()) -> no_return().
not_parsed(Source, Error) ->
    failed(syntax, "~ts", [located("", string:split(Source, "\n", all), Error)]).

%% A message of a compiler, with its line and a mark below the place.
located(Where, Lines, {At, Module, What}) ->
    Message = Module:format_error(What),
    case At of
        {Line, Column} when Line =< length(Lines) ->
            Marked = [lists:nth(Line, Lines), "\n    ", lists:duplicate(Column - 1, $\s), "^"],
            io_lib:format("~tsline ~b: ~ts~n    ~ts", [Where, Line, Message, Marked]);
        {Line, _} ->
            io_lib:format("~tsline ~b: ~ts", [Where, Line, Message]);
        Line when is_integer(Line) ->
            io_lib:format("~tsline ~b: ~ts", [Where, Line, Message]);
        _ ->
            io_lib:format("~ts~ts", [Where, Message])
    end;
located(Where, _, {Module, What}) ->
    io_lib:format("~ts~ts", [Where, Module:format_error(What)]).

-spec failed(syntax | compile | until, io:format(), [term()]) -> no_return().
failed(Kind, Format, Arguments) ->
    throw({?MODULE, Kind, unicode:characters_to_binary(io_lib:format(Format, Arguments))}).

%% --- modules ---------------------------------------------------------------

%% Compiles and loads. `Shown` is the name of the file in messages. Warnings go to the logger.
compile(File, Shown, Options) ->
    _ = [
        failed(compile, "this Erlang has no application compiler: install it", [])
     || code:ensure_loaded(compile) =/= {module, compile}
    ],
    case compile:file(File, [binary, return, debug_info, nowarn_redefined_bif_type | Options]) of
        {ok, Module, Beam, Warnings} ->
            _ = [logger:warning("~ts", [Text]) || Text <- messages(Warnings, File, Shown)],
            _ = code:purge(Module),
            {module, Module} = code:load_binary(Module, unicode:characters_to_list(Shown), Beam),
            Module;
        {error, Errors, _} ->
            failed(compile, "~ts", [lists:join("\n", messages(Errors, File, Shown))])
    end.

messages(Found, Given, Shown) ->
    [
        located([File, ", "], lines(File, Given, Shown), Message)
     || {File, Messages} <- Found, Message <- Messages
    ].

%% Text that is no file of the user begins with a line that says what it is called.
lines(File, Given, Shown) ->
    IsText = unicode:characters_to_binary(File) =:= Shown andalso Shown =/= unicode:characters_to_binary(Given),
    case {IsText, file:read_file(if IsText -> Given; true -> File end)} of
        {true, {ok, Text}} -> tl(string:split(Text, "\n", all));
        {false, {ok, Text}} -> string:split(Text, "\n", all);
        {_, {error, _}} -> []
    end.

%% --- exceptions ------------------------------------------------------------

exception({elixir, _, _, _}, Class, Reason, Stack) ->
    Format = 'Elixir.Exception',
    Text = try Format:format(Class, Reason, shown(Stack)) catch _:_ -> text(Class, Reason, Stack) end,
    {Class, Reason, Text, shown(Stack)};
exception(_, Class, Reason, Stack) ->
    {Class, Reason, text(Class, Reason, shown(Stack)), shown(Stack)}.

text(error, {unbound_var, Name}, _) ->
    unicode:characters_to_binary(io_lib:format("variable '~ts' is unbound", [Name]));
text(Class, Reason, Stack) ->
    unicode:characters_to_binary(erl_error:format_exception(Class, Reason, Stack, #{column => 1})).

shown(Stack) ->
    [Frame || Frame <- Stack, not lists:member(element(1, Frame), ?HIDDEN)].
