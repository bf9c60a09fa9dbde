%% The documentation of the public modules, from the comments above their -spec attributes.
%%
%%     docs.escript chunks SRC EBIN    adds it to the beams, for h(inetpy) in a shell (EEP 48)
%%     docs.escript page SRC           prints it, for docs/reference-erlang.md
%%
%% Comments are plain text with `code`; a paragraph whose lines are indented by four spaces is a program.
-mode(compile).

%% The public modules, and what of their functions is documented. gen_tcp and gen_udp call the functions of a
%% tcp_module; users do not. A function without a comment is the one of inet.
modules() ->
    [
        {inetpy, fun(Name) -> Name =/= install_quietly end},
        {inetpy_tcp, fun(_) -> false end},
        {inetpy_udp, fun(_) -> false end},
        {inetpy_happy_tcp, fun(_) -> false end},
        {inetpy_fault, fun(_) -> true end},
        {inetpy_network, fun(Name) -> lists:member(Name, [load, unload, replay, wait, check]) end},
        {inetpy_cth, fun(_) -> false end},
        {inetpy_eunit, fun(_) -> true end},
        {inetpy_inet, fun(Name) -> not lists:member(Name, [getaddrs_tm, getaddr_tm]) end}
    ].

main(["chunks", Source, Ebin]) ->
    lists:foreach(fun(Module) -> add_chunk(read(Source, Module), Ebin) end, modules());
main(["page", Source]) ->
    ok = io:setopts([{encoding, unicode}]),
    lists:foreach(fun(Module) -> io:put_chars(section(read(Source, Module))) end, modules()).

%% --- sources ---------------------------------------------------------------

read(Source, {Module, IsPublic}) ->
    File = filename:join(Source, atom_to_list(Module) ++ ".erl"),
    {ok, Text} = file:read_file(File),
    Lines = list_to_tuple(binary:split(Text, <<"\n">>, [global])),
    {ok, Forms} = epp:parse_file(File, [{includes, [Source]}]),
    Exported = lists:append([Functions || {attribute, _, export, Functions} <- Forms]),
    Specs = [
        {erl_anno:line(Anno), Function, Form}
     || {attribute, Anno, spec, {Function, _}} = Form <- Forms, lists:member(Function, Exported)
    ],
    #{
        module => Module,
        text => comment(1, +1, Lines),
        types => [source(erl_anno:line(Anno), Lines) || {attribute, Anno, type, _} <- Forms, has_functions(Module)],
        functions => [function(Spec, IsPublic, Lines) || Spec <- Specs]
    }.

has_functions(Module) -> lists:member(Module, [inetpy, inetpy_fault, inetpy_network, inetpy_eunit, inetpy_inet]).

function({Line, {Name, Arity}, Form}, IsPublic, Lines) ->
    Text =
        case IsPublic(Name) of
            false -> hidden;
            true ->
                comment(Line - 1, -1, Lines)
        end,
    #{name => Name, arity => Arity, line => Line, form => Form, spec => source(Line, Lines), text => Text}.

%% The paragraphs of the comment that begins at a line and goes on in a direction.
comment(Line, Direction, Lines) ->
    Block = block(Line, Direction, Lines),
    Ordered = if Direction < 0 -> lists:reverse(Block); true -> Block end,
    [iolist_to_binary(lists:join("\n", Paragraph)) || Paragraph <- paragraphs(Ordered)].

block(Line, Direction, Lines) when Line > 0 ->
    case element(Line, Lines) of
        <<"%% ---", _/binary>> -> [];
        <<"%% ", Text/binary>> -> [Text | block(Line + Direction, Direction, Lines)];
        <<"%%">> -> [<<>> | block(Line + Direction, Direction, Lines)];
        _ -> []
    end;
block(_, _, _) ->
    [].

paragraphs(Lines) ->
    case lists:splitwith(fun(Line) -> Line =/= <<>> end, Lines) of
        {[], []} -> [];
        {[], [_ | Rest]} -> paragraphs(Rest);
        {Paragraph, Rest} -> [Paragraph | paragraphs(Rest)]
    end.

%% An attribute as it stands in the source.
source(Line, Lines) ->
    Text = element(Line, Lines),
    case binary:last(<<" ", Text/binary>>) of
        $. -> [Text, "\n"];
        _ -> [Text, "\n" | source(Line + 1, Lines)]
    end.

%% --- the page --------------------------------------------------------------

section(#{module := Module, text := Text, types := Types, functions := Functions}) ->
    [
        io_lib:format("## ~s\n\n", [Module]),
        [[Paragraph, "\n\n"] || Paragraph <- Text],
        [["Types:\n\n```\n", Types, "```\n\n"] || Types =/= []],
        [entry(Function) || #{text := [_ | _]} = Function <- Functions],
        as_in_inet([Spec || #{text := [], spec := Spec} <- Functions])
    ].

as_in_inet([]) -> [];
as_in_inet(Specs) -> ["### As in inet\n\n```\n", Specs, "```\n\n"].

entry(#{name := Name, arity := Arity, spec := Spec, text := Text}) ->
    [
        io_lib:format("### ~s/~b\n\n", [Name, Arity]),
        "```\n", Spec, "```\n\n",
        [[Paragraph, "\n\n"] || Paragraph <- Text]
    ].

%% --- the chunk -------------------------------------------------------------

add_chunk(#{module := Module, text := Text, functions := Functions}, Ebin) ->
    File = filename:join(Ebin, atom_to_list(Module) ++ ".beam"),
    Docs = {docs_v1, 1, erlang, <<"application/erlang+html">>, html(Text), #{}, [chunk(F) || F <- Functions]},
    {ok, _, Chunks} = beam_lib:all_chunks(File),
    {ok, Beam} = beam_lib:build_module(lists:keystore("Docs", 1, Chunks, {"Docs", term_to_binary(Docs)})),
    ok = file:write_file(File, Beam).

chunk(#{name := Name, arity := Arity, line := Line, form := Form, text := Text}) ->
    Signature = iolist_to_binary(io_lib:format("~s/~b", [Name, Arity])),
    Shown = if Text =:= [] -> [<<"As `inet:", Signature/binary, "`.">>]; true -> Text end,
    {{function, Name, Arity}, Line, [Signature], html(Shown), #{signature => [Form]}}.

html(hidden) -> hidden;
html(Paragraphs) -> #{<<"en">> => [paragraph(Text) || Text <- Paragraphs]}.

paragraph(<<"    ", _/binary>> = Program) ->
    {pre, [], [{code, [], [re:replace(Program, "^    ", "", [multiline, global, {return, binary}])]}]};
paragraph(Text) ->
    Flat = binary:replace(Text, <<"\n">>, <<" ">>, [global]),
    {p, [], inline(binary:split(Flat, <<"`">>, [global]))}.

inline([Plain, Code | Rest]) -> [Plain, {code, [], [Code]} | inline(Rest)];
inline([Plain]) -> [Plain].
