%% How the Python side is started.
-module(inetpy_python).

-export([command/0]).

%% The program, its arguments and its environment. Throws a reason for people.
%%
%% Which Python: the environment variable INETPY_PYTHON, else the application
%% variable `python`, else the virtual environment of the source tree that these
%% beams belong to, else `inetpy` on the path.
-spec command() -> {file:filename_all(), [string()], [{string(), string() | false}]}.
command() ->
    Environment = [
        {"PYTHONUNBUFFERED", "1"}, {"PYTHONDONTWRITEBYTECODE", false},
        {"INETPY_BRIDGES", integer_to_list(inetpy_bridges:count())}
    ],
    case first_of([fun from_environment/0, fun from_application/0, fun from_tree/0]) of
        {ok, Python} ->
            %% -P: the current folder is no place to import from.
            {Python, ["-P", "-m", "inetpy", "bridge"], Environment};
        error ->
            case os:find_executable("inetpy") of
                false -> throw({inetpy_python, "no inetpy found: set INETPY_PYTHON to the python that has it"});
                Inetpy -> {Inetpy, ["bridge"], Environment}
            end
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
        false -> error;
        Name -> executable(Name, "INETPY_PYTHON")
    end.

from_application() ->
    case application:get_env(inetpy, python) of
        undefined -> error;
        {ok, Name} -> executable(Name, "the application variable python of inetpy")
    end.

executable(Name, Source) ->
    case os:find_executable(Name) of
        false -> throw({inetpy_python, Source ++ " names no program: " ++ Name});
        Path -> {ok, Path}
    end.

from_tree() ->
    case code:which(?MODULE) of
        Beam when is_list(Beam) ->
            %% erl/ebin/inetpy_python.beam
            Top = filename:dirname(filename:dirname(filename:dirname(filename:absname(Beam)))),
            Python = filename:join([Top, ".venv", "bin", "python"]),
            case filelib:is_regular(Python) of
                true -> {ok, Python};
                false -> error
            end;
        _ ->
            error
    end.
