%% ioctl, what is supported, what there is, monitors, sendfile.
-module(xs_functions).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {ioctl_get, "What the system says of the loopback interface.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, dgram),
            [{R, xs:attempt(fun() -> without_rest(R, M:ioctl(S, R, "lo")) end)} || R <- gets()]
        end},
        {ioctl_get_none, "What it says of interfaces that there are not.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, dgram),
            [{R, N, xs:attempt(fun() -> M:ioctl(S, R, N) end)} || R <- gets(), N <- ["nonsense", "a name that is too long for it", "", [x], [300], <<"lo">>, x, 1]]
        end},
        {ioctl_names, "Interfaces by their numbers.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, dgram),
            [{N, xs:attempt(fun() -> M:ioctl(S, gifname, N) end)} || N <- [1, 0, -1, 99999, 1 bsl 40, x, "lo"]]
        end},
        {ioctl_conf, "All interfaces.", fun(#{api := M}) ->
            [begin {ok, S} = M:open(D, T), xs:attempt(fun() -> M:ioctl(S, gifconf) end) end || {D, T} <- [{inet, dgram}, {inet6, stream}, {local, stream}]]
        end},
        {ioctl_requests, "Requests that there are not.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, dgram),
            xs:attempts([fun() -> M:ioctl(S, R) end || R <- [x, 1, nread, nwrite, nspace, atmark, tcp_info, gifaddr]] ++
                [fun() -> M:ioctl(S, R, "lo") end || R <- [x, 1, gifconf, sifflags, sifmtu, sifnetmask, sifhwaddr]] ++ [fun() -> M:ioctl(x, gifconf) end, fun() -> M:ioctl(x, gifmtu, "lo") end])
        end},
        {ioctl_read, "How much there is to read.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            ok = M:send(C, "abc"),
            {ok, _} = M:recv(S, 3, [peek]),
            xs:attempts([fun() -> M:ioctl(S, nread) end, fun() -> M:ioctl(S, atmark) end])
        end},
        {ioctl_set, "Settings of an interface that there is not.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, dgram),
            xs:attempts([fun() -> M:ioctl(S, R, "nonsense", V) end || {R, V} <- [
                {sifflags, #{up => true}}, {sifaddr, #{family => inet, addr => {127, 0, 0, 1}}}, {sifmtu, 1500}, {siftxqlen, 100}, {sifmtu, x},
                {sifdstaddr, #{family => inet, addr => loopback}}, {sifbrdaddr, #{family => inet}}, {sifaddr, x}, {sifflags, x}, {siftxqlen, 1.5}, {x, 1}
            ]] ++ [fun() -> M:ioctl(S, sifmtu, x, 1) end, fun() -> M:ioctl(x, sifmtu, "lo", 1) end])
        end},
        {supports, "What is supported at all.", fun(#{api := M}) -> lists:sort([{K, sorted(V)} || {K, V} <- M:supports()]) end},
        {supports_keys, "What is supported of a kind.", fun(#{api := M}) ->
            [{K, sorted(xs:attempt(fun() -> M:supports(K) end))} || K <- [options, msg_flags, protocols, ioctl_requests, ioctl_flags, sctp, ipv6, local, netns, sendfile, nonsense, 1, "x"]]
        end},
        {supports_options, "Options of a level.", fun(#{api := M}) ->
            [{K, L, sorted(xs:attempt(fun() -> M:supports(K, L) end))} || K <- [options, msg_flags, x], L <- [socket, ip, 'IP', ipv6, tcp, udp, sctp, otp, nonsense, 6, "x", {a}]]
        end},
        {is_supported, "Whether something is supported.", fun(#{api := M}) ->
            [{K, xs:attempt(fun() -> M:is_supported(K) end)} || K <- [sctp, ipv6, local, netns, sendfile, options, nonsense, 1]] ++
                [{K, L, xs:attempt(fun() -> M:is_supported(K, L) end)} || K <- [options, msg_flags, protocols, ioctl_requests, ioctl_flags, nonsense, sctp],
                    L <- [{socket, keepalive}, {socket, peek_off}, {tcp, keepidle}, {nonsense, x}, peek, trunc, nonsense, tcp, 'TCP', 6, gifmtu, nread, up, simplex, 1, "x", {a, b, c}]] ++
                [{L, O, xs:attempt(fun() -> M:is_supported(options, L, O) end)} || L <- [socket, ip, tcp, nonsense], O <- [keepalive, ttl, nodelay, x]] ++
                [xs:attempt(fun() -> M:is_supported(x, socket, keepalive) end)]
        end},
        {info, "What info/0 says.", fun(#{api := M}) -> maps:map(fun(counters, C) -> lists:sort(maps:keys(C)); (_, V) -> V end, M:info()) end},
        {tables, "The tables of a later OTP.", fun(#{api := M}) ->
            xs:attempts([fun() -> {map_size(M:tables()), lists:sort(maps:keys(M:tables()))} end, fun() -> M:table(protocols) =:= M:protocols() end,
                fun() -> M:option(socket, keepalive) end, fun() -> M:option({ip, ttl}) end, fun() -> M:options(socket) end, fun() -> M:options() end,
                fun() -> M:protocol(tcp) end, fun() -> M:protocol(6) end, fun() -> M:option(x) end, fun() -> M:table(x) end, fun() -> M:options(socket, true) end])
        end},
        {which_sockets, "Which sockets there are.", fun(#{api := M}) ->
            {ok, S1} = M:open(inet, stream),
            {ok, S2} = M:open(inet6, dgram),
            {ok, S3} = M:open(local, stream),
            Mine = [S1, S2, S3],
            Filters = [inet, inet6, local, stream, dgram, seqpacket, tcp, udp, sctp, self(), fun(#{domain := D}) -> D =:= inet6 end],
            Seen = [xs:sockets(Mine, M:which_sockets(F)) || F <- Filters],
            All = xs:sockets(Mine, M:which_sockets()),
            ok = M:close(S1),
            {All, Seen, xs:sockets(Mine, M:which_sockets()), M:number_of() >= 2}
        end},
        {which_sockets_bad, "Filters that are none.", fun(#{api := M}) ->
            [xs:attempt(fun() -> M:which_sockets(F) end) || F <- [x, 1, "x", {a, b}, fun() -> ok end]]
        end},
        {unlisted, "A socket that is in no list.", fun(#{api := M}) ->
            {ok, S1} = M:open(inet, stream, #{use_registry => false}),
            {ok, S2} = M:open(inet, stream, #{use_registry => true}),
            Before = {xs:sockets([S1, S2], M:which_sockets()), M:getopt(S1, {otp, use_registry}), M:getopt(S2, {otp, use_registry})},
            [Before, M:setopt(S1, {otp, use_registry}, true), xs:sockets([S1], M:which_sockets()), M:getopt(S1, {otp, use_registry})]
        end},
        {monitor, "The end of a monitored socket.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            Ref = M:monitor(S),
            Ref2 = M:monitor(S),
            Seen = [M:number_of_monitors(S), length(M:which_monitors(S)), M:monitored_by(S) =:= [self()], M:number_of_monitors(self())],
            ok = M:close(S),
            Told = lists:sort([receive {'DOWN', R, T, Socket, Info} -> {R =:= Ref orelse R =:= Ref2, T, Socket =:= S, Info} after 5000 -> nothing end || _ <- [1, 2]]),
            [Seen, Told, M:number_of_monitors(self())]
        end},
        {monitors_in_order, "The newest of many monitors is the first that is told.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            Refs = [M:monitor(S) || _ <- lists:seq(1, 40)],
            Known = [M:which_monitors(S), M:which_monitors(self())],
            ok = M:close(S),
            {Refs, Known, [receive {'DOWN', Ref, socket, S, closed} -> Ref after 5000 -> nothing end || _ <- Refs]}
        end},
        {monitor_closed, "A monitor of a closed socket.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            ok = M:close(S),
            Ref = M:monitor(S),
            [receive {'DOWN', Ref, T, S, Info} -> {T, Info} after 5000 -> nothing end, xs:attempt(fun() -> M:cancel_monitor(Ref) end)]
        end},
        {monitor_owner, "A monitor when the owner ends.", fun(#{api := M}) ->
            Parent = self(),
            Pid = spawn(fun() -> {ok, S} = M:open(inet, stream), Parent ! {socket, S}, receive stop -> ok end end),
            S = receive {socket, It} -> It end,
            Ref = M:monitor(S),
            Pid ! stop,
            receive {'DOWN', Ref, T, S, Info} -> {T, Info} after 5000 -> nothing end
        end},
        {cancel_monitor, "A monitor that is cancelled.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            Ref = M:monitor(S),
            Other = xc:await(xc:spawn_call(fun() -> xs:attempt(fun() -> M:cancel_monitor(Ref) end) end)),
            First = M:cancel_monitor(Ref),
            ok = M:close(S),
            [Other, First, M:cancel_monitor(Ref), M:cancel_monitor(make_ref()), xs:attempt(fun() -> M:cancel_monitor(x) end)]
        end},
        {bad_monitor, "Monitors of what is no socket.", fun(#{api := M}) ->
            xs:attempts([fun() -> M:monitor(x) end, fun() -> M:monitor({'$socket', x}) end, fun() -> M:number_of_monitors(x) end,
                fun() -> M:which_monitors(x) end, fun() -> M:monitored_by(x) end])
        end},
        {kind, "which_socket_kind, with and without meta.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, stream),
            Plain = M:which_socket_kind(S),
            ok = M:setopt(S, {otp, meta}, #{a => 1}),
            [Plain, M:which_socket_kind(S), M:getopt(S, {otp, meta}), xs:attempt(fun() -> M:which_socket_kind(x) end), M:close(S), xs:attempt(fun() -> M:which_socket_kind(S) end)]
        end},
        {switches, "debug, socket_debug and use_registry with bad values.", fun(#{api := M}) ->
            xs:attempts([fun() -> M:debug(x) end, fun() -> M:socket_debug(x) end, fun() -> M:use_registry(x) end, fun() -> M:debug(false) end, fun() -> M:socket_debug(false) end, fun() -> M:use_registry(true) end])
        end},
        {sendfile, "A file, a part of it, and the rest.", fun(#{api := M} = B) ->
            xs:with_file(xc:fill(100000), fun(File) ->
                {C, S} = xs:pair(B),
                Results = [M:sendfile(C, File), M:sendfile(C, File, 10, 20), M:sendfile(C, File, 99990, 0), M:sendfile(C, File, 0, 5, 1000), M:sendfile(C, File, 1000)],
                {Results, erlang:crc32(xs:received(M, S, 100035))}
            end)
        end},
        {sendfile_nowait, "A file with nowait.", fun(#{api := M} = B) ->
            xs:with_file(xc:fill(1000), fun(File) ->
                {C, S} = xs:pair(B),
                [M:sendfile(C, File, 0, 100, nowait), M:sendfile(C, File, 0, 100, make_ref()), byte_size(xs:received(M, S, 200))]
            end)
        end},
        {sendfile_counters, "What is counted of files, and that it is of sockets that have sent one.", fun(#{api := M} = B) ->
            xs:with_file(xc:fill(100), fun(File) ->
                [
                    begin
                        {C, _S} = xs:pair(B),
                        First = maps:get(counters, M:info(C)),
                        Sent = Send(C, File),
                        {First, Sent, maps:get(counters, M:info(C))}
                    end
                 || Send <- [
                        fun(C, F) -> M:sendfile(C, F, 0, 5) end, fun(C, F) -> M:sendfile(C, F, 0, 0) end,
                        fun(C, F) -> M:sendfile(C, F, 50, 100) end, fun(C, F) -> M:sendfile(C, F, 200, 5) end,
                        fun(C, F) -> [M:sendfile(C, F, 0, N) || N <- [5, 7, 3]] end,
                        fun(C, F) -> [M:shutdown(C, write), M:sendfile(C, F, 0, 5)] end,
                        fun(C, _) -> M:sendfile(C, closed_file(), 0, 5) end
                    ]
                ]
            end)
        end},
        {sendfile_compressed, "A file without a descriptor of its own.", fun(#{api := M} = B) ->
            {C, _S} = xs:pair(B),
            xs:with_file(xc:fill(100), [compressed], fun(File) -> xs:attempt(fun() -> M:sendfile(C, File, 0, 5) end) end)
        end},
        {sendfile_large, "A large file to a peer that reads later.", fun(#{api := M} = B) ->
            {C, S} = xs:pair(B),
            Call = xc:spawn_call(fun() ->
                xs:with_file(xc:fill(20000000), fun(File) -> M:sendfile(C, File, 0, 0, infinity) end)
            end),
            ok = M:setopt(C, {otp, controlling_process}, element(1, Call)),
            Data = xs:received(M, S, 20000000),
            {xc:await(Call), erlang:crc32(Data)}
        end},
        {bad_sendfile, "What is no file, and bad places.", fun(#{api := M} = B) ->
            xs:with_file(<<"abc">>, fun(File) ->
                {C, _} = xs:pair(B),
                {ok, New} = M:open(inet, stream),
                {ok, Closed} = file:open("/dev/null", [read, raw, binary]),
                ok = file:close(Closed),
                xs:attempts([
                    fun() -> M:sendfile(C, Closed) end, fun() -> M:sendfile(New, Closed) end, fun() -> M:sendfile(C, Closed, x, 1) end,
                    fun() -> M:sendfile(C, x) end, fun() -> M:sendfile(C, File, -1, 1) end, fun() -> M:sendfile(C, File, 0, -1) end, fun() -> M:sendfile(C, File, x, 1) end,
                    fun() -> M:sendfile(C, File, 10, 1) end, fun() -> M:sendfile(C, File, 0, 0, x) end, fun() -> M:sendfile(New, File) end, fun() -> M:sendfile(x, File) end,
                    fun() -> M:sendfile(C, {file_descriptor, x, #{}}) end, fun() -> M:sendfile(C, File, 1 bsl 70, 1) end
                ])
            end)
        end}
    ].

gets() -> [gifaddr, gifdstaddr, gifbrdaddr, gifnetmask, gifmtu, gifhwaddr, giftxqlen, gifflags, gifmap, gifindex].

%% Behind a hardware address there is what was in memory before.
without_rest(gifhwaddr, {ok, #{addr := <<Address:6/binary, _/binary>> = All} = Map}) -> {ok, Map#{addr := {Address, byte_size(All)}}};
without_rest(_, Other) -> Other.

sorted(List) when is_list(List) -> lists:sort(List);
sorted(Other) -> Other.

closed_file() -> xs:with_file(<<>>, fun(File) -> File end).
