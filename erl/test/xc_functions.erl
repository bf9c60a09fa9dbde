%% The functions of inet that take no socket: `inet` against `inetpy_inet`.
-module(xc_functions).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [scenario(Name, Statement, Calls) || {Name, Statement, Calls} <- table()] ++ listings().

scenario(Name, Statement, Calls) ->
    {Name, Statement, fun(#{inet := Module}) ->
        [{F, Args, xc:attempt(fun() -> called(Module, F, Args) end)} || {F, Args} <- Calls]
    end}.

table() ->
    Name = element(2, inet:gethostname()),
    Names = [
        "localhost", localhost, "LOCALHOST", "localhost.", "127.0.0.1", "::1", "1.2", "0x7f.1", Name,
        list_to_atom(Name), string:uppercase(Name), "no-such-host.invalid", "", '', "a b", "ä", 5, <<"localhost">>,
        [localhost], {1, 2}
    ],
    Addresses = [
        {127, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, 1}, {1, 2, 3, 4}, {256, 0, 0, 1}, {1, 2, 3}, {1.0, 2, 3, 4},
        {1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 3, 4, 5, 6, 7, 65536}, {}
    ],
    [
        {getaddr_inet, "The first address of IPv4.", [{getaddr, [N, inet]} || N <- Names ++ Addresses]},
        {getaddr_inet6, "The first address of IPv6.", [{getaddr, [N, inet6]} || N <- Names ++ Addresses]},
        {getaddrs_inet, "All addresses of IPv4.", [{getaddrs, [N, inet]} || N <- Names ++ Addresses]},
        {getaddrs_inet6, "All addresses of IPv6.", [{getaddrs, [N, inet6]} || N <- Names ++ Addresses]},
        {getaddrs_family, "Families that are none.", [
            {getaddrs, [N, F]} || N <- ["localhost", {1, 2, 3, 4}, 5, "::1"], F <- [local, x, 4]
        ]},
        {getaddrs_timeout, "With a timeout that is not needed.", [{getaddrs, ["localhost", inet, 5000]}]},
        {timeouts, "Timeouts: of any size, and those that are none.", [
            {F, [H, inet, T]}
         || F <- [getaddr, getaddrs, gethostbyname],
            H <- ["127.0.0.1", {127, 0, 0, 1}, {1, 2}, "", '', 5],
            T <- [infinity, 5000, (1 bsl 32) - 1, 1 bsl 32, 1 bsl 40, 1 bsl 70, -1, x, 1.0]
        ]},
        {timeouts_gethostbyaddr, "Timeouts of gethostbyaddr.", [
            {gethostbyaddr, [H, T]} || H <- ["127.0.0.1", 5], T <- [infinity, 5000, (1 bsl 32) - 1, 1 bsl 32, 1 bsl 40, 1 bsl 70, -1, x]
        ]},
        {gethostbyname, "What is known of a host.", [{gethostbyname, [N]} || N <- Names]},
        {gethostbyname_inet, "Of IPv4.", [{gethostbyname, [N, inet]} || N <- Names]},
        {gethostbyname_inet6, "Of IPv6.", [{gethostbyname, [N, inet6]} || N <- Names]},
        {gethostbyname_local, "Families that have no hosts.", [{gethostbyname, [N, local]} || N <- Names]},
        {gethostbyaddr, "The host of an address.", [
            {gethostbyaddr, [A]} || A <- Addresses ++ ["127.0.0.1", "1.2", "x", x, 5, "", {192, 0, 2, 1}]
        ]},
        {gethostname, "Our own name.", [{gethostname, []}]},
        {getservbyname, "The port of a service.", [
            {getservbyname, [N, P]}
         || N <- [http, https, domain, ssh, no_such_service, '', "http", <<"http">>, 5], P <- [tcp, udp, "tcp", x, ""]
        ]},
        {getservbyport, "The name of a port's service.", [
            {getservbyport, [N, P]} || N <- [80, 443, 53, 22, 1, 0, 65000], P <- [tcp, udp, "tcp", x, ""]
        ]},
        {getservbyport_bad, "Ports that are none.", [{getservbyport, [N, tcp]} || N <- [-1, 65536, x]]},
        {getifaddrs, "The interfaces of this host.", [{getifaddrs, []}, {getifaddrs, [[]]}]},
        {getifaddrs_bad, "Options that are none.", [
            {getifaddrs, [A]} || A <- [[{netns, "/no/such/namespace"}], [{netns, <<"/etc/hosts">>}], [{x, 1}], [x], [{netns, 5}]]
        ]},
        {ntoa, "The text of an address.", [{ntoa, [A]} || A <- Addresses ++ negative() ++ texts() ++ [x, "127.0.0.1"]]},
        {is_ip_address, "Whether a term is an address.", [
            {F, [A]}
         || F <- [is_ip_address, is_ipv4_address, is_ipv6_address], A <- Addresses ++ negative() ++ [x, 5, "127.0.0.1", <<>>, [], #{}]
        ]},
        {mapped, "Mapped addresses.", [{ipv4_mapped_ipv6_address, [A]} || A <- Addresses ++ negative() ++ texts() ++ [x]]},
        {format_error, "The text of every error.", [{format_error, [E]} || E <- errors()]},
        {get_rc, "The configuration of the resolver.", [{get_rc, []}]}
    ] ++
        [
            {F, "Reads an address.", [{F, [T]} || T <- parsed()]}
         || F <- [
                parse_address, parse_strict_address, parse_ipv4_address, parse_ipv4strict_address,
                parse_ipv6_address, parse_ipv6strict_address
            ]
        ].

negative() ->
    [
        {-1, 0, 0, 0}, {1, 2, 3, -4}, {-1, -1, -1, -1}, {0, 0, 0, 0, 0, 0, -1, 0}, {-1, 0, 0, 0, 0, 0, 0, 1},
        {0, 0, 0, 0, 0, 65535, -1, -1}, {300, 0, 0, -1}, {-300, 300, 1, 1}, {1 bsl 70, 2, 3, 4}, {-(1 bsl 70), 2, 3, 4},
        {0, x, 0, 0, 0, 0, 1, 2}, {0, 0, 0, 0, 0, 0, 65536, 1}, {-1, -1, -1, -1, -1, -1, -1, -1}
    ].

texts() ->
    [
        {0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, 0, 2}, {0, 0, 0, 0, 0, 0, 1, 0}, {0, 0, 0, 0, 0, 16#FFFF, 16#102, 16#304},
        {1, 0, 0, 2, 0, 0, 0, 3}, {1, 0, 0, 0, 2, 0, 0, 3}, {1, 0, 2, 0, 3, 0, 4, 0}, {16#FE80, 3, 0, 0, 0, 0, 0, 1},
        {16#FF02, 1, 0, 0, 0, 0, 0, 1}, {16#ABCD, 16#EF, 0, 0, 0, 0, 0, 0}, {0, 0, 1, 0, 0, 0, 0, 0}, {255, 255, 255, 255}
    ].

parsed() ->
    [
        "127.0.0.1", "1.2.3", "1.2", "1", "0x7f.1", "0177.1", "1.2.3.4.5", "1.2.3.256", "256.1.1.1", "01.2.3.4", "1.2.3.4 ",
        "+1.2.3.4", "-1.2.3.4", "1..2", ".1", "1.", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "fe80::1%01", "fe80::1%eth0", "fe80::1%", "1::1%01",
        "1::2::3", ":::", ":1", "12345::", "g::", "::FFFF:1.2.3.4", "", "localhost", [], [x], [256, $1], 5, x, <<"127.0.0.1">>,
        {127, 0, 0, 1}, [$1 | x]
    ].

%% The errors that the documentation of inet lists, and others.
errors() ->
    [
        e2big, eacces, eaddrinuse, eaddrnotavail, eadv, eafnosupport, eagain, ealign, ealready, ebade, ebadf, ebadfd, ebadmsg,
        ebadr, ebadrpc, ebadrqc, ebadslt, ebfont, ebusy, echild, echrng, ecomm, econnaborted, econnrefused, econnreset, edeadlk,
        edeadlock, edestaddrreq, edirty, edom, edotdot, edquot, eduppkg, eexist, efault, efbig, ehostdown, ehostunreach, eidrm,
        einit, einprogress, eintr, einval, eio, eisconn, eisdir, eisnam, el2hlt, el2nsync, el3hlt, el3rst, elbin, elibacc, elibbad,
        elibexec, elibmax, elibscn, elnrng, eloop, emfile, emlink, emsgsize, emultihop, enametoolong, enavail, enet, enetdown,
        enetreset, enetunreach, enfile, enoano, enobufs, enocsi, enodata, enodev, enoent, enoexec, enolck, enolink, enomem, enomsg,
        enonet, enopkg, enoprotoopt, enospc, enosr, enostr, enosym, enosys, enotblk, enotconn, enotdir, enotempty, enotnam, enotsock,
        enotsup, enotty, enotuniq, enxio, eopnotsupp, eperm, epfnosupport, epipe, eproclim, eprocunavail, eprogmismatch,
        eprogunavail, eproto, eprotonosupport, eprototype, erange, erefused, eremchg, eremdev, eremote, eremoteio, eremoterelease,
        erofs, erpcmismatch, erremote, eshutdown, esocktnosupport, espipe, esrch, esrmnt, estale, esuccess, etime, etimedout,
        etoomanyrefs, etxtbsy, euclean, eunatch, eusers, eversion, ewouldblock, exdev, exfull, nxdomain, exbadport, exbadseq,
        system_limit, closed, timeout, no_such_error
    ].

%% The output of i/0,1,2: its columns are compared, and the words of a row.
listings() ->
    [
        {i_fields, "i/2 with chosen fields, of a socket of each protocol.", fun(#{inet := Module} = B) ->
            {U, Port} = xc:udp(B, []),
            L = xc:listen(B, [{ip, {127, 0, 0, 1}}]),
            Text = lists:append([printed(fun() -> Module:i(P, [recv, sent, local_address, foreign_address, state, type]) end) || P <- [udp, tcp]]),
            Lines = string:split(Text, "\n", all),
            Mine = [string:lexemes(Line, " ") || Line <- Lines, N <- [Port, xc:listener_port(L)],
                string:find(Line, ":" ++ integer_to_list(N) ++ " ") =/= nomatch],
            ok = gen_udp:close(U),
            [lists:delete(lists:nth(3, Words), Words) || Words <- Mine]
        end},
        {i_none, "i/1 of a protocol without sockets.", fun(#{inet := Module}) -> printed(fun() -> Module:i(sctp) end) end}
    ].

%% The output of Fun.
printed(Fun) ->
    Parent = self(),
    {Pid, Ref} = spawn_monitor(fun() ->
        group_leader(Parent, self()),
        Fun()
    end),
    collect(Pid, Ref, []).

collect(Pid, Ref, Acc) ->
    receive
        {io_request, From, ReplyAs, {put_chars, _, Module, Function, Args}} ->
            From ! {io_reply, ReplyAs, ok},
            collect(Pid, Ref, [Acc | unicode:characters_to_list(apply(Module, Function, Args))]);
        {io_request, From, ReplyAs, {put_chars, _, Chars}} ->
            From ! {io_reply, ReplyAs, ok},
            collect(Pid, Ref, [Acc | unicode:characters_to_list(Chars)]);
        {'DOWN', Ref, process, Pid, _} ->
            lists:flatten(Acc)
    end.

called(Module, F, Args) when F =:= getservbyname; F =:= getservbyport ->
    xc:with_service(fun() -> apply(Module, F, Args) end);
called(Module, get_rc, []) ->
    %% not the modules, which differ when inetpy is installed
    [Entry || Entry <- Module:get_rc(), not lists:member(element(1, Entry), [tcp, udp])];
called(Module, F, Args) ->
    apply(Module, F, Args).
