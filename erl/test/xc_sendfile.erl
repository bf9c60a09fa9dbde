%% file:sendfile/2,5.
-module(xc_sendfile).

-export([scenarios/0]).

-define(SIZE, 3000000).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {whole, "Sends a file by name.", fun(B) ->
            with_file(fun(Name) ->
                {S, P} = xc:pair(B, []),
                Reader = xc:spawn_call(fun() -> gen_tcp:recv(P, ?SIZE, 5000) end),
                Sent = file:sendfile(Name, S),
                {Sent, xc:await(Reader) =:= {ok, xc:fill(?SIZE)}}
            end)
        end},
        {accepted, "Sends on an accepted socket.", fun(B) ->
            with_file(fun(Name) ->
                {S, P} = xc:served(B, []),
                Reader = xc:spawn_call(fun() -> gen_tcp:recv(P, ?SIZE, 5000) end),
                Sent = file:sendfile(Name, S),
                {Sent, xc:await(Reader) =:= {ok, xc:fill(?SIZE)}}
            end)
        end},
        {position, "The position of the file does not change.", fun(B) ->
            with_file([read], fun(File) ->
                {S, P} = xc:pair(B, []),
                {ok, 7} = file:position(File, 7),
                Sent = file:sendfile(File, S, 100, 500, []),
                {Sent, gen_tcp:recv(P, 500, 5000), file:position(File, {cur, 0})}
            end)
        end},
        {beyond_end, "More than the file has.", fun(B) ->
            with_file([read], fun(File) ->
                {S, P} = xc:pair(B, []),
                Sent = file:sendfile(File, S, ?SIZE - 10, 500, []),
                {Sent, gen_tcp:recv(P, 10, 5000)}
            end)
        end},
        {after_end, "From behind the end of the file.", fun(B) ->
            with_file([read], fun(File) ->
                {S, _} = xc:pair(B, []),
                {file:sendfile(File, S, ?SIZE + 10, 500, []), gen_tcp:send(S, "on")}
            end)
        end},
        {negative, "An offset, and a length, below 0.", fun(B) ->
            with_file([read], fun(File) ->
                {S, _} = xc:pair(B, []),
                {file:sendfile(File, S, -1, 5, []), file:sendfile(File, S, 0, -5, []), gen_tcp:send(S, "on")}
            end)
        end},
        {huge_offset, "An offset that no file has.", fun(B) ->
            with_file([read], fun(File) ->
                {S, _} = xc:pair(B, []),
                file:sendfile(File, S, 1 bsl 63, 5, [])
            end)
        end},
        {list_file, "A raw file that gives lists.", fun(B) ->
            with_file(fun(Name) ->
                {ok, File} = file:open(Name, [read, raw]),
                {S, P} = xc:pair(B, []),
                {file:sendfile(File, S, 16, 32, []), gen_tcp:recv(P, 32, 5000)}
            end)
        end},
        {read_ahead_file, "A raw file with a buffer to read ahead.", fun(B) ->
            with_file([read, {read_ahead, 100}], fun(File) ->
                {S, P} = xc:pair(B, []),
                {ok, _} = file:read(File, 3),
                {file:sendfile(File, S, 16, 32, []), gen_tcp:recv(P, 32, 5000), file:read(File, 4)}
            end)
        end},
        {compressed_file, "A compressed file.", fun(B) ->
            with_file([read, compressed], fun(File) ->
                {S, P} = xc:pair(B, []),
                {file:sendfile(File, S, 16, 32, []), gen_tcp:recv(P, 32, 5000)}
            end)
        end},
        {process_file, "A file that is a process.", fun(B) ->
            with_file(fun(Name) ->
                {ok, File} = file:open(Name, [read, binary]),
                {S, _} = xc:pair(B, []),
                Sent = file:sendfile(File, S, 0, 10, []),
                ok = file:close(File),
                Sent
            end)
        end},
        {write_only_file, "A file that cannot be read.", fun(B) ->
            with_file(fun(Name) ->
                {ok, File} = file:open(Name, [write, raw, binary]),
                {S, _} = xc:pair(B, []),
                {file:sendfile(File, S, 0, 10, []), gen_tcp:send(S, "on")}
            end)
        end},
        {closed_file, "A file that is closed.", fun(B) ->
            with_file([read], fun(File) ->
                {S, _} = xc:pair(B, []),
                ok = file:close(File),
                {file:sendfile(File, S, 0, 10, []), gen_tcp:send(S, "on")}
            end)
        end},
        {no_file, "A file that does not exist.", fun(B) ->
            {S, _} = xc:pair(B, []),
            file:sendfile("/no/such/file", S)
        end},
        {not_owner, "Only the owner of a socket may send files through it.", fun(B) ->
            with_file(fun(Name) ->
                {S, _} = xc:pair(B, []),
                xc:await(xc:spawn_call(fun() -> file:sendfile(Name, S) end))
            end)
        end},
        {closed_socket, "A closed socket.", fun(B) ->
            with_file(fun(Name) ->
                {S, _} = xc:pair(B, []),
                ok = gen_tcp:close(S),
                file:sendfile(Name, S)
            end)
        end},
        {listener, "A listening socket.", fun(B) ->
            with_file(fun(Name) -> file:sendfile(Name, xc:listen(B, [])) end)
        end},
        {peer_gone, "A socket whose end was seen.", fun(B) ->
            with_file(fun(Name) ->
                {S, P} = xc:pair(B, []),
                ok = gen_tcp:close(P),
                {error, closed} = gen_tcp:recv(S, 0, 5000),
                file:sendfile(Name, S)
            end)
        end},
        {peer_closes, "The peer closes while the file is sent.", fun(B) ->
            with_file(fun(Name) ->
                {S, P} = xc:pair(B, [{sndbuf, 8192}]),
                ok = xc:hand_over(P, fun() ->
                    {ok, _} = gen_tcp:recv(P, 1000, 5000),
                    xc:reset(P)
                end),
                {file:sendfile(Name, S), gen_tcp:send(S, "x"), gen_tcp:recv(S, 0, 100)}
            end)
        end},
        {in_order, "What waits to be sent goes first, what is sent then goes after.", fun(B) ->
            with_file(fun(Name) ->
                {S, P} = xc:pair(B, [{sndbuf, 8192}, {high_watermark, 10000000}]),
                Before = binary:copy(<<"a">>, 2000000),
                ok = gen_tcp:send(S, Before),
                Reader = xc:spawn_call(fun() ->
                    {ok, Data} = gen_tcp:recv(P, 2000000 + ?SIZE + 5, 20000),
                    Data =:= <<Before/binary, (xc:fill(?SIZE))/binary, "after">>
                end),
                Sent = file:sendfile(Name, S),
                {Sent, gen_tcp:send(S, "after"), xc:await(Reader)}
            end)
        end},
        {from_another_while_sending, "A send by another process while a file is sent.", fun(B) ->
            with_file(fun(Name) ->
                {S, P} = xc:pair(B, [{sndbuf, 8192}]),
                Other = xc:spawn_call(fun() ->
                    %% the sending of the file has begun
                    {ok, <<"0123">>} = gen_tcp:recv(P, 4, 5000),
                    ok = gen_tcp:send(S, "after"),
                    {ok, Data} = gen_tcp:recv(P, ?SIZE - 4 + 5, 20000),
                    binary:part(Data, byte_size(Data) - 5, 5)
                end),
                {file:sendfile(Name, S), xc:await(Other)}
            end)
        end},
        {packet, "The type of packets adds nothing to a file.", fun(B) ->
            with_file([read], fun(File) ->
                {S, P} = xc:pair(B, [{packet, 4}]),
                {file:sendfile(File, S, 0, 5, []), gen_tcp:send(S, "x"), gen_tcp:recv(P, 10, 5000)}
            end)
        end},
        {active, "On an active socket.", fun(B) ->
            with_file([read], fun(File) ->
                {S, P} = xc:pair(B, [{active, true}]),
                Sent = file:sendfile(File, S, 0, 5, []),
                ok = gen_tcp:send(P, "answer"),
                {Sent, xc:next(), gen_tcp:recv(P, 5, 5000)}
            end)
        end},
        {counters, "What a file adds to the counters.", fun(B) ->
            with_file([read], fun(File) ->
                {S, P} = xc:pair(B, []),
                {ok, 5} = file:sendfile(File, S, 0, 5, []),
                {ok, _} = gen_tcp:recv(P, 5, 5000),
                inet:getstat(S, [send_oct, send_cnt, send_pend])
            end)
        end},
        {chunk_size, "The options of sendfile/5.", fun(B) ->
            with_file([read], fun(File) ->
                {S, P} = xc:pair(B, []),
                Sent = file:sendfile(File, S, 0, 100, [{chunk_size, 10}, {use_threads, false}]),
                {Sent, gen_tcp:recv(P, 100, 5000)}
            end)
        end},
        {shut_for_writing, "After shutdown(write).", fun(B) ->
            with_file([read], fun(File) ->
                {S, _} = xc:pair(B, []),
                ok = gen_tcp:shutdown(S, write),
                {file:sendfile(File, S, 0, 5, []), gen_tcp:send(S, "x")}
            end)
        end},
        {many, "Many files after each other.", fun(B) ->
            with_file([read], fun(File) ->
                {S, P} = xc:pair(B, []),
                Sent = [file:sendfile(File, S, N, 16, []) || N <- lists:seq(0, 49)],
                {ok, Data} = gen_tcp:recv(P, 800, 5000),
                {lists:usort(Sent), erlang:crc32(Data)}
            end)
        end}
    ].

with_file(Modes, Fun) ->
    with_file(fun(Name) ->
        {ok, File} = file:open(Name, [raw, binary | Modes]),
        Result = Fun(File),
        _ = file:close(File),
        Result
    end).

%% Fun is called with the name of a file, which is deleted afterwards.
with_file(Fun) ->
    Name = filename:join("/tmp", "inetpy_sendfile_" ++ integer_to_list(erlang:unique_integer([positive])) ++ os:getpid()),
    ok = file:write_file(Name, xc:fill(?SIZE)),
    try
        Fun(Name)
    after
        file:delete(Name)
    end.
