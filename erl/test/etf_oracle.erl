%% The emulator as an oracle for the codec and the packet parsers: a program that
%% answers requests in {packet, 4} frames on its standard input and output.
%%
%%   <<"R", Size, Seed:32>>     a random term of about Size, as
%%                              <<ByteSize:32, Default/binary, Version2/binary>>,
%%                              written with the default options and with minor_version 2
%%   <<"D", Bytes/binary>>      <<"+", Used:32, Version2/binary>> of the term in Bytes, or <<"-">>
%%   <<"V", Text/binary>>       the term of an Erlang expression, written with the default options
%%   <<"P", Bytes/binary>>      Bytes is a term {Type, Data, Options}; the answer is the
%%                              term erlang:decode_packet(Type, Data, Options), or badarg
%%   <<"I", Bytes/binary>>      Bytes is a term [{Function, Arguments}]; the answer is the list
%%                              of what these functions of inet return, or fail with
-module(etf_oracle).

-export([main/0]).

-spec main() -> no_return().
main() ->
    Port = open_port({fd, 0, 1}, [{packet, 4}, binary, eof]),
    serve(Port).

serve(Port) ->
    receive
        {Port, {data, Request}} ->
            true = port_command(Port, answer(Request)),
            serve(Port);
        {Port, eof} ->
            halt(0)
    end.

answer(<<"R", Size, Seed:32>>) ->
    _ = rand:seed(exsss, Seed),
    Term = term(Size),
    Default = term_to_binary(Term),
    [<<(byte_size(Default)):32>>, Default, written(Term)];
answer(<<"D", Bytes/binary>>) ->
    try binary_to_term(Bytes, [used]) of
        {Term, Used} -> [<<"+", Used:32>>, written(Term)]
    catch
        error:badarg -> <<"-">>
    end;
answer(<<"V", Text/binary>>) ->
    {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Text) ++ "."),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    {value, Value, _} = erl_eval:exprs(Expressions, []),
    term_to_binary(Value);
answer(<<"P", Bytes/binary>>) ->
    {Type, Data, Options} = binary_to_term(Bytes),
    Result =
        try
            erlang:decode_packet(Type, Data, Options)
        catch
            error:badarg -> badarg
        end,
    term_to_binary(Result);

answer(<<"I", Bytes/binary>>) ->
    term_to_binary([called(Function, Arguments) || {Function, Arguments} <- binary_to_term(Bytes)]).

called(Function, Arguments) ->
    try
        apply(inet, Function, Arguments)
    catch
        error:Reason -> Reason
    end.

written(Term) ->
    term_to_binary(Term, [{minor_version, 2}]).

%% --- random terms ----------------------------------------------------------

term(Size) when Size =< 0 ->
    leaf();
term(Size) ->
    case rand:uniform(10) of
        N when N =< 4 -> leaf();
        5 -> list_to_tuple(terms(Size));
        6 -> terms(Size);
        7 -> terms(Size) ++ leaf();
        8 -> maps:from_list([{term(Size div 4), X} || X <- terms(Size)]);
        9 -> [rand:uniform(256) - 1 || _ <- lists:seq(1, rand:uniform(Size))];
        10 -> [terms(Size div 2) | terms(Size div 2)]
    end.

terms(Size) ->
    Count = rand:uniform(5) - 1,
    [term(Size div 2 - 1) || _ <- lists:seq(1, Count)].

leaf() ->
    case rand:uniform(17) of
        1 -> rand:uniform(256) - 1;
        2 -> rand:uniform(1 bsl 33) - (1 bsl 32);
        3 -> sign() * rand:uniform(1 bsl rand:uniform(2400));
        4 -> sign() * (1 bsl (8 * rand:uniform(12)));
        5 -> (rand:uniform() - 0.5) * math:pow(10, rand:uniform(600) - 300);
        6 -> pick([ok, error, true, false, undefined, '', 'with space', 'é', 'ÿ', 'λ', '漢字', '𝄞']);
        7 -> list_to_atom([pick("abcåλ漢") || _ <- lists:seq(1, rand:uniform(255))]);
        8 -> rand:bytes(rand:uniform(40) - 1);
        9 -> bits();
        10 -> pick([[], {}, #{}, <<>>, 0, 0.0, 1.0, 1]);
        11 -> pid();
        12 -> pick([make_ref(), erlang:alias(), foreign_ref()]);
        13 -> pick([hd(erlang:ports()), foreign_port()]);
        14 -> pick([fun erlang:self/0, fun lists:map/2, fun no_such:function/255]);
        15 -> closure();
        16 -> pick([16#7FFFFFFF, -16#80000000, 16#80000000, -16#80000001, 255, 256, -1]);
        17 -> unicode:characters_to_binary([pick("aé漢") || _ <- lists:seq(1, rand:uniform(20))])
    end.

sign() -> pick([1, -1]).

pick(List) -> lists:nth(rand:uniform(length(List)), List).

bits() ->
    Size = rand:uniform(50),
    <<Bits:Size/bitstring, _/bitstring>> = rand:bytes(7),
    Bits.

closure() ->
    X = rand:uniform(1000),
    Y = {X, [X | self()], <<"free">>},
    pick([fun() -> X end, fun(A) -> {A, Y} end, fun(A, B) -> {A, B, X, Y} end]).

pid() ->
    case rand:uniform(2) of
        1 -> self();
        2 -> binary_to_term(<<131, 88, (node_name())/binary, (rand:bytes(12))/binary>>)
    end.

foreign_port() ->
    case rand:uniform(2) of
        1 -> binary_to_term(<<131, 89, (node_name())/binary, 0:4, (rand:uniform(1 bsl 28) - 1):28, 7:32>>);
        2 -> binary_to_term(<<131, 120, (node_name())/binary, (rand:bytes(8))/binary, 7:32>>)
    end.

foreign_ref() ->
    Words = rand:uniform(5),
    Ids = binary:part(rand:bytes(20), 0, 4 * Words),
    <<_:14, First:18, Rest/binary>> = Ids,
    binary_to_term(<<131, 90, Words:16, (node_name())/binary, 9:32, First:32, Rest/binary>>).

node_name() ->
    Name = atom_to_binary(pick(['a@b', 'node@host.example', 'nøde@høst', '漢@字'])),
    <<119, (byte_size(Name)), Name/binary>>.
