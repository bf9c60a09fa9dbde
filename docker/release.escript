%% Makes app.tar.gz: the application, those that it needs, and the emulator. Arguments: the folders of beams.
main(Folders) ->
    ok = code:add_paths(Folders),
    Names = [kernel, stdlib, inets, inetpy, app],
    Applications = [{Name, version(Name)} || Name <- Names],
    Release = {release, {"app", "1"}, {erts, erlang:system_info(version)}, Applications},
    ok = file:write_file("app.rel", io_lib:format("~p.~n", [Release])),
    ok = systools:make_script("app", [no_warn_sasl]),
    ok = systools:make_tar("app", [no_warn_sasl, {erts, code:root_dir()}]).

version(Name) ->
    _ = application:load(Name),
    {ok, Version} = application:get_key(Name, vsn),
    Version.
