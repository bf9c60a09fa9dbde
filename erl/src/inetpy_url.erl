%% Where a Python serves nodes, as users write it:
%%
%%     unix:/run/inetpy/bridge
%%     tcp:127.0.0.1:7000?token_file=/run/secrets/token
%%     tls:net.example:7000?ca=/etc/inetpy/ca.pem&cert=/etc/inetpy/node.pem&key=/etc/inetpy/node.key
-module(inetpy_url).

-export([parse/1, addresses/1, host/1, option/2, is_local/1, is_tls/1, token/1, text/1]).
-export_type([url/0]).

-type option() :: ca | cert | key | token_file.
-type place() :: {unix, string()} | {tcp | tls, Host :: string(), inet:port_number()}.
-opaque url() :: {place(), #{option() => string()}}.

%% The options of each kind.
-define(OPTIONS, #{unix => [token_file], tcp => [token_file], tls => [token_file, ca, cert, key]}).

%% Of a unix socket: sun_path of unix(7), without the zero at its end.
-define(LONGEST_PATH, 107).

%% The text of an error says what is wrong.
-spec parse(string() | binary()) -> {ok, url()} | {error, string()}.
parse(Text) when is_binary(Text) ->
    parse(unicode:characters_to_list(Text));
parse(Text) ->
    try
        [Where | Query] = string:split(Text, "?"),
        {Kind, _} = Place = place(Where),
        {ok, {flat(Place), options(Kind, Query)}}
    catch
        throw:Why -> {error, lists:flatten(io_lib:format("~0tp is no address of a bridge: ~ts", [Text, Why]))};
        error:_ -> {error, lists:flatten(io_lib:format("~0tP is no address of a bridge", [Text, 20]))}
    end.

place("unix:" ++ [_ | _] = Text) ->
    Path = lists:nthtail(length("unix:"), Text),
    case byte_size(unicode:characters_to_binary(Path)) =< ?LONGEST_PATH of
        true -> {unix, Path};
        false -> throw(["the path has more than ", integer_to_list(?LONGEST_PATH), " bytes"])
    end;
place("tcp:" ++ Rest) -> {tcp, host_and_port(Rest)};
place("tls:" ++ Rest) -> {tls, host_and_port(Rest)};
place(_) -> throw("there are unix:/path, tcp:host:port and tls:host:port").

flat({unix, Path}) -> {unix, Path};
flat({Kind, {Host, Port}}) -> {Kind, Host, Port}.

host_and_port(Text) ->
    [Host, Digits] = case string:split(Text, ":", trailing) of [_, _] = Both -> Both; _ -> throw("it has no port") end,
    case {string:trim(Host, both, "[]"), string:to_integer(Digits)} of
        {[_ | _] = Name, {Port, []}} when Port > 0, Port =< 16#FFFF -> {Name, Port};
        _ -> throw("it needs a host and a port from 1 to 65535")
    end.

options(_, []) -> #{};
options(Kind, [Query]) ->
    Known = [{atom_to_list(Name), Name} || Name <- maps:get(Kind, ?OPTIONS)],
    maps:from_list([option(Pair, Kind, Known) || Pair <- uri_string:dissect_query(Query)]).

option({Name, Value}, Kind, Known) ->
    case lists:keyfind(Name, 1, Known) of
        {_, Option} when is_list(Value), Value =/= "" ->
            {Option, Value};
        {_, _} ->
            throw([Name, " has no value"]);
        false ->
            throw(["the node knows no option ", Name, " of ", atom_to_list(Kind), ", but ",
                   lists:join(", ", [Text || {Text, _} <- Known])])
    end.

%% What gen_tcp:connect/3 takes, to be tried one after the other.
-spec addresses(url()) -> [{{local, string()} | string() | inet:ip_address(), inet:port_number(), inet | inet6 | local}].
addresses({{unix, Path}, _}) ->
    [{{local, Path}, 0, local}];
addresses({{_, Host, Port}, _}) ->
    case inet:parse_address(Host) of
        {ok, Ip} when tuple_size(Ip) =:= 8 -> [{Ip, Port, inet6}];
        {ok, Ip} -> [{Ip, Port, inet}];
        {error, _} -> [{Host, Port, inet}, {Host, Port, inet6}]
    end.

%% The host that a certificate must be of.
-spec host(url()) -> string().
host({{_, Host, _}, _}) -> Host.

-spec option(option(), url()) -> {ok, string()} | error.
option(Name, {_, Options}) -> maps:find(Name, Options).

%% Whether Python can be on this host, where it can copy descriptors of this node.
-spec is_local(url()) -> boolean().
is_local({Place, _}) -> element(1, Place) =:= unix.

-spec is_tls(url()) -> boolean().
is_tls({Place, _}) -> element(1, Place) =:= tls.

%% What the Python asks for; empty where nothing is given. The file is read for each connection: it can be changed
%% while the node runs.
-spec token(url()) -> {ok, binary()} | {error, string()}.
token(Url) ->
    case {option(token_file, Url), os:getenv("INETPY_TOKEN", ""), os:getenv("INETPY_TOKEN_FILE", "")} of
        {{ok, File}, _, _} -> from_file(File);
        {error, "", ""} -> {ok, <<>>};
        {error, "", File} -> from_file(File);
        {error, Token, _} -> from_variable(Token)
    end.

%% The first line.
from_file(File) ->
    case file:read_file(File) of
        {ok, Content} ->
            {ok, trim(hd(binary:split(Content, <<"\n">>)))};
        {error, Reason} ->
            {error, lists:flatten(io_lib:format("the token cannot be read from ~ts: ~ts", [File, file:format_error(Reason)]))}
    end.

%% Bytes, which need not be text. Python strips the same.
trim(Bytes) ->
    re:replace(Bytes, "^[\\x09-\\x0d ]+|[\\x09-\\x0d ]+\\z", "", [global, {return, binary}]).

%% The bytes of the variable.
from_variable(Token) ->
    case unicode:characters_to_binary(Token, unicode, file:native_name_encoding()) of
        Bytes when is_binary(Bytes) -> {ok, trim(Bytes)};
        _ -> {error, "INETPY_TOKEN is no text"}
    end.

%% Without options.
-spec text(url()) -> string().
text({{unix, Path}, _}) -> "unix:" ++ Path;
text({{Kind, Host, Port}, _}) ->
    Shown = case lists:member($:, Host) of true -> "[" ++ Host ++ "]"; false -> Host end,
    lists:append([atom_to_list(Kind), ":", Shown, ":", integer_to_list(Port)]).
