%% Writes ebin/inetpy.app: the .app.src with the list of modules filled in.
main([Source, Ebin]) ->
    {ok, [{application, Name, Keys}]} = file:consult(filename:join(Source, "inetpy.app.src")),
    Files = filelib:wildcard("*.erl", Source),
    Modules = [list_to_atom(filename:rootname(File)) || File <- Files],
    Application = {application, Name, lists:keystore(modules, 1, Keys, {modules, Modules})},
    ok = file:write_file(filename:join(Ebin, "inetpy.app"), io_lib:format("~tp.~n", [Application])).
