%% The first frame in each direction: `{hello, Protocol, Capabilities, ...}`.
-module(inetpy_greeting).

-export([hello/2, read/1]).

-define(PROTOCOL, 1).
-define(NO_GREETING, {inetpy_protocol, "the first frame from Python is no greeting"}).

%% The greeting of this node. Python puts the bridge and `out` of the link into the names of sockets.
-spec hello(pid(), inetpy_link:link()) -> binary().
hello(Bridge, Link) ->
    Capabilities = process(inetpy_link:is_local(Link)) ++ stock_driver(),
    term_to_binary({hello, ?PROTOCOL, Capabilities, Bridge, inetpy_link:out(Link)}).

%% The process of this node, for a Python that can copy its descriptors. On another host the number would name
%% an unrelated process.
process(true) -> [{os_pid, list_to_integer(os:getpid())}];
process(false) -> [].

%% The edition of OTP, and the stock driver's default buffer size. Python does as the stock driver of this node.
stock_driver() ->
    Release = list_to_integer(erlang:system_info(otp_release)),
    case gen_tcp:listen(0, [{inet_backend, inet}, inet, {ip, {127, 0, 0, 1}}]) of
        {ok, Socket} ->
            {ok, [Buffer]} = inet:getopts(Socket, [buffer]),
            ok = gen_tcp:close(Socket),
            [{otp_release, Release}, knows_sctp(), Buffer];
        {error, _} ->
            [{otp_release, Release}, knows_sctp()]
    end.

%% Whether `socket` of this OTP has been built with SCTP.
knows_sctp() ->
    {sctp, prim_socket:is_supported(sctp)}.

%% Reads the greeting of Python, and creates the atoms that Python may use. Answers whether a network is in play: then
%% already the first socket needs its context.
-spec read(binary()) -> {ok, InPlay :: boolean()} | {error, {inetpy_protocol, string()}}.
read(<<131, $P, _/binary>>) ->
    {error, ?NO_GREETING};  % Python compresses nothing, and what is small here can be large there
read(Frame) ->
    case catch binary_to_term(Frame, [safe]) of
        {hello, ?PROTOCOL, Capabilities} when is_list(Capabilities) ->
            ok = learn(proplists:get_value(atoms, Capabilities, [])),
            {ok, proplists:get_value(context, Capabilities, false)};
        {refused, Text} when is_binary(Text) ->
            {error, {inetpy_protocol, text(Text)}};
        {hello, Other, _} ->
            Text = io_lib:format(
                "Python speaks protocol ~p, this inetpy ~p: install the same version of both", [Other, ?PROTOCOL]
            ),
            {error, {inetpy_protocol, lists:flatten(Text)}};
        _ ->
            {error, ?NO_GREETING}
    end.

text(Bytes) ->
    case unicode:characters_to_list(Bytes) of
        Text when is_list(Text) -> Text;
        _ -> "the reason is no text"
    end.

%% Later frames are decoded with `safe`, which creates no atoms.
learn(Names) ->
    lists:foreach(fun(Name) -> _ = binary_to_atom(Name) end, Names).
