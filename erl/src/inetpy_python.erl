%% How the Python side is started.
-module(inetpy_python).

-export([command/0, cannot_run/2, text/1]).

-include_lib("kernel/include/file.hrl").

%% The exit status of inetpy/start.py in a Python that is too old.
-define(TOO_OLD, 65).

%% The program, its arguments and its environment. Throws a reason that can be read.
%%
%% The program is the first that is given of: the environment variable INETPY_PYTHON, the application variable
%% `python`, the virtual environment of the source tree that these beams belong to, an installed `inetpy` of this
%% version, `python3`.
-spec command() -> {file:filename_all(), [string()], [{string(), string() | false}]}.
command() ->
    Sources = [
        fun from_environment/0, fun from_application/0, fun from_tree/0, fun from_installation/0, fun from_system/0
    ],
    case first_of(Sources) of
        {ok, {Program, Arguments}} ->
            {Program, Arguments, environment()};
        error ->
            throw({inetpy_python, missing()})
    end.

%% What Python needs of this node's environment: the places of programs and libraries, the language, the resolver
%% of the C library, the folder for sockets of this user, and settings of Python and of inetpy. Python does not get the
%% rest, which may be secret.
-define(NAMES, [
    "HOME", "HOSTALIASES", "LANG", "LANGUAGE", "LOCALDOMAIN", "PATH", "RES_OPTIONS", "SSLKEYLOGFILE", "TMPDIR",
    "TZ", "USER", "VIRTUAL_ENV", "XDG_RUNTIME_DIR"
]).
-define(PREFIXES, ["INETPY_", "LC_", "LD_", "NSS_", "PYENV_", "PYTHON"]).

environment() ->
    More = string:lexemes(os:getenv("INETPY_ENVIRONMENT", ""), ", "),
    [{Name, false} || {Name, _} <- os:env(), not is_needed(Name, ?NAMES ++ More)] ++
        [
            {"PYTHONUNBUFFERED", "1"}, {"PYTHONDONTWRITEBYTECODE", false},
            {"INETPY_BRIDGES", integer_to_list(max(1, inetpy_bridges:ports()))}
        ].

is_needed(Name, Names) ->
    lists:member(Name, Names) orelse lists:any(fun(Prefix) -> lists:prefix(Prefix, Name) end, ?PREFIXES).

missing() ->
    case own_files() of
        {ok, _} ->
            "no Python was found: install Python 3.11 or later, or set INETPY_PYTHON to one";
        error ->  % in an escript, for example
            "there are no Python files beside the beams: install inetpy with pip, "
            "or set INETPY_PYTHON to a Python that has it"
    end.

first_of([Source | Sources]) ->
    case Source() of
        {ok, _} = Found -> Found;
        error -> first_of(Sources)
    end;
first_of([]) ->
    error.

from_environment() ->
    case os:getenv("INETPY_PYTHON") of
        Unset when Unset =:= false; Unset =:= "" -> error;
        Name -> executable(Name, "INETPY_PYTHON")
    end.

from_application() ->
    case application:get_env(inetpy, python) of
        {ok, Name} when Name =/= nil -> executable(Name, "the application variable python of inetpy");
        _ -> error
    end.

%% A string of Elixir is a binary.
executable(Name, Source) when is_binary(Name) ->
    executable(unicode:characters_to_list(Name), Source);
executable(Name, Source) ->
    case is_list(Name) andalso os:find_executable(Name) of
        false -> throw({inetpy_python, lists:append([Source, " ", why_not(Name), ": ", shown(Name)])});
        Path -> {ok, {Path, bridge()}}
    end.

shown(Name) when is_list(Name) -> Name;
shown(Name) -> lists:flatten(io_lib:format("~0tp", [Name])).

%% What a Python is told. It need not have inetpy: the application has the Python files with it. If beams are alone
%% in their folder, Python must have inetpy. -P: nothing is imported from the current folder.
bridge() ->
    case own_files() of
        {ok, Folder} -> [filename:join([Folder, "inetpy", "start.py"]), version(), "bridge"];
        error -> ["-P", "-m", "inetpy", "bridge"]
    end.

why_not(Name) ->
    case file:read_file_info(Name) of
        {ok, #file_info{type = regular}} -> "names a program that " ++ user() ++ " cannot execute";
        {error, eacces} -> "names a program that " ++ user() ++ " cannot reach and execute";
        _ -> "names no program"
    end.

%% Why a program that exists could not be started.
-spec cannot_run(file:filename_all(), term()) -> {inetpy_python, string()}.
cannot_run(Program, eacces) ->
    {inetpy_python, lists:flatten(io_lib:format("~ts cannot execute: ~ts", [user(), Program]))};
cannot_run(Program, Reason) ->
    {inetpy_python, lists:flatten(io_lib:format("~ts cannot be run: ~0P", [Program, Reason, 20]))}.

%% The user that this node runs as.
user() ->
    case string:trim(os:cmd("id -un 2> /dev/null || id -u")) of
        "" -> "this user";
        Name -> "user " ++ Name
    end.

from_tree() ->
    case beside(["..", ".venv", "bin", "python"]) of
        {ok, Python} -> executable(Python, "the source tree");
        error -> error
    end.

%% Python checks the version of the wire too. But an inetpy of another version must not keep a node from the files
%% that it has itself.
from_installation() ->
    case os:find_executable("inetpy") of
        false ->
            error;
        Inetpy ->
            Expected = "inetpy " ++ version(),
            case string:trim(os:cmd(lists:append(["'", Inetpy, "' --version 2> /dev/null"]))) of
                Expected -> {ok, {Inetpy, ["bridge"]}};
                _ -> error
            end
    end.

from_system() ->
    case {own_files(), os:find_executable("python3")} of
        {{ok, _}, Python} when is_list(Python) -> {ok, {Python, bridge()}};
        _ -> error
    end.

%% The folder of the Python package, as seen from the application's folder: in an application, in the source tree,
%% in an installed Python package.
-define(PLACES, [["priv", "python"], ["..", "bridge"], [".."]]).

own_files() ->
    first_of([fun() -> package_in(Place) end || Place <- ?PLACES]).

package_in(Place) ->
    case beside(Place ++ ["inetpy", "start.py"]) of
        {ok, _} -> beside(Place);
        error -> error
    end.

%% A file that exists, by its place in the application's folder.
beside(Place) ->
    case code:which(?MODULE) of
        Beam when is_list(Beam) ->
            File = filename:join([filename:dirname(filename:dirname(filename:absname(Beam))) | Place]),
            case file:read_file_info(File) of
                {ok, _} -> {ok, File};
                {error, _} -> error
            end;
        _ ->
            error
    end.

version() ->
    case application:get_key(inetpy, vsn) of
        {ok, Version} -> Version;
        undefined -> ""
    end.

%% Why Python could not be started, or has ended, as a sentence.
-spec text(term()) -> io_lib:chars().
text({inetpy_python, {exit_status, ?TOO_OLD}}) ->
    io_lib:format("Python (~ts) is too old: install Python 3.11 or later, or set INETPY_PYTHON to one", [program()]);
text({inetpy_python, {exit_status, Status}}) when Status > 128 ->
    io_lib:format("Python was ended by signal ~b", [Status - 128]);
text({inetpy_python, {exit_status, Status}}) ->
    io_lib:format("Python (~ts) ended with exit status ~b", [program(), Status]);
text({inetpy_python, epipe}) ->
    %% Python closed its input, and the port ended before the exit status was there
    io_lib:format("Python (~ts) ended", [program()]);
text({Kind, Text}) when Kind =:= inetpy_python, is_list(Text); Kind =:= inetpy_protocol, is_list(Text) ->
    Text;
text({inetpy_python, Reason}) ->
    io_lib:format("Python (~ts) cannot be run: ~0P", [program(), Reason, 20]);
text({bad_url, Text}) ->
    Text;
text({bad_option, Option}) ->
    [{Name, Value}] = maps:to_list(Option),
    io_lib:format("the option ~ts cannot be ~0tp", [Name, Value]);
text({shutdown, Reason}) ->
    text(Reason);
text(Reason) ->
    io_lib:format("the bridge to Python ended: ~0P", [Reason, 20]).

program() ->
    try command() of
        {Program, _, _} -> Program
    catch
        throw:_ -> "not there any more"
    end.
