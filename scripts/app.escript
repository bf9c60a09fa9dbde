%% Writes ebin/inetpy.app, which is the .app.src with the list of modules filled in, and the Python to start if one is
%% given; and the modules that stand in for OTP's, for nodes that boot with them.
main([Source, Ebin, Hooks | Python]) ->
    {ok, [{application, Name, Keys}]} = file:consult(filename:join(Source, "inetpy.app.src")),
    Files = filelib:wildcard("*.erl", Source),
    Modules = [list_to_atom(filename:rootname(File)) || File <- Files],
    Env = [{python, File} || File <- Python] ++ proplists:get_value(env, Keys, []),
    Filled = lists:foldl(fun(Pair, Rest) -> lists:keystore(element(1, Pair), 1, Rest, Pair) end, Keys, [
        {modules, Modules}, {env, Env}
    ]),
    Text = io_lib:format("%% coding: utf-8~n~tp.~n", [{application, Name, Filled}]),
    ok = file:write_file(filename:join(Ebin, "inetpy.app"), unicode:characters_to_binary(Text)),
    true = code:add_path(Ebin),
    [ok = file:write_file(filename:join(Hooks, atom_to_list(Module) ++ ".beam"), Beam) || {Module, Beam} <- inetpy_install:hooks()].
