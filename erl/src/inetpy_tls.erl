%% TLS on a connection to Python: OTP's `ssl`, on a socket of the stock driver. The application needs kernel and stdlib
%% alone, so `ssl` is called where there is one: a node without it gets an error that says so.
-module(inetpy_tls).

-export([upgrade/3]).

%% Called by these names, so that the application does not depend on ssl and public_key.
-define(SSL, (ssl())).
-define(PUBLIC_KEY, (public_key())).

%% Python proves that it is the host of the URL, with a certificate that `ca=` or the system trusts. With `cert=` and
%% `key=` this node proves who it is, too.
-spec upgrade(gen_tcp:socket(), inetpy_url:url(), timeout()) -> {ok, Socket :: term()} | {error, string()}.
upgrade(Socket, Url, Timeout) ->
    case application:ensure_all_started(ssl()) of
        {ok, _} ->
            try ?SSL:connect(Socket, options(Url), Timeout) of
                {ok, Tls} -> verified(Tls, Url);
                {error, Reason} -> {error, text(Reason)}
            catch
                throw:Why -> {error, lists:flatten(Why)}
            end;
        {error, _} ->
            {error, "this node has no application ssl: install it, or put it into the release"}
    end.

ssl() -> ssl.
public_key() -> public_key.

options(Url) ->
    [{mode, binary}, {active, false}, {packet, raw}, {verify, verify_peer}, {depth, 5}, {log_level, none}] ++
        authorities(inetpy_url:option(ca, Url)) ++ host(inetpy_url:host(Url)) ++
        [{Option, readable(File)} || {Name, Option} <- [{cert, certfile}, {key, keyfile}],
                                     {ok, File} <- [inetpy_url:option(Name, Url)]].

authorities({ok, File}) ->
    [{cacertfile, readable(File)}];
authorities(error) ->
    try ?PUBLIC_KEY:cacerts_get() of
        Certificates -> [{cacerts, Certificates}]
    catch
        error:_ -> throw("the system has no certificates: name a file of them with ca= in the URL")
    end.

%% A certificate of a wrong or missing file fails in ssl with less to read.
readable(File) ->
    case file:read_file_info(File) of
        {ok, _} -> File;
        {error, Reason} -> throw([File, ": ", file:format_error(Reason)])
    end.

%% A name of a host is compared by ssl, by the rules of HTTPS. The socket is connected already, so ssl does not know an
%% address: see verified/2.
host(Host) ->
    case inet:parse_address(Host) of
        {ok, _} -> [{server_name_indication, disable}];
        {error, _} ->
            Match = ?PUBLIC_KEY:pkix_verify_hostname_match_fun(https),
            [{server_name_indication, Host}, {customize_hostname_check, [{match_fun, Match}]}]
    end.

verified(Tls, Url) ->
    Host = inetpy_url:host(Url),
    case inet:parse_address(Host) of
        {ok, Ip} ->
            {ok, Certificate} = ?SSL:peercert(Tls),
            case ?PUBLIC_KEY:pkix_verify_hostname(Certificate, [{ip, Ip}]) of
                true -> {ok, Tls};
                false -> ?SSL:close(Tls), {error, "its certificate is not one of " ++ Host}
            end;
        {error, _} ->
            {ok, Tls}
    end.

text({tls_alert, {_, Text}}) -> lists:flatten(io_lib:format("~ts", [Text]));
text(timeout) -> "no answer to the TLS handshake";
text(closed) -> "the connection was closed in the TLS handshake";
text(Reason) -> lists:flatten(io_lib:format("~0tP", [Reason, 20])).
