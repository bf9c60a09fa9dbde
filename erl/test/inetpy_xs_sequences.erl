%% Random sequences of calls of the module `socket`: see inetpy_xc_random.
%%
%% Three processes call, of which the first owns the sockets. A call has its answer, or still waits when nothing
%% has happened for a while. Observed are the answers after each call, also those of calls that waited, and the
%% mailbox of each process.
%%
%% Arguments that are known only when the sequence runs are atoms with the text of an expression: '$A' is a socket,
%% '$xs:info(R3)' the SelectInfo in the answer of the third call. See inetpy_xs_steps, which runs and prints them.
-module(inetpy_xs_sequences).

-behaviour(inetpy_xc_random).

-export([api/0, sequence/1, observe/3, text/1]).

-import(inetpy_xc_random, [pick/1]).

-type step() :: inetpy_xs_steps:step().

-define(LENGTH, 14).

-spec api() -> socket.
api() -> socket.

-spec sequence(integer()) -> {[inetpy_xs_steps:scene()], [step()]}.
sequence(Seed) ->
    _ = rand:seed(exsss, Seed),
    Scene = pick([tcp, tcp, tcp, local, seqpacket, udp, local_dgram]),
    {[Scene], [step(Scene, N) || N <- lists:seq(1, ?LENGTH)]}.

%% The steps of one scene name what another has not. So shrinking, which tries to do without it, finds no difference there.
-spec observe(xc:backend(), {[inetpy_xs_steps:scene()], [step()]}, pos_integer()) -> term().
observe(_, {[], _}, _) -> no_scene;
observe(#{api := Module}, {[Scene], Steps}, Quiet) -> inetpy_xs_steps:run(Module, Scene, Steps, Quiet).

-spec text({[inetpy_xs_steps:scene()], [step()]}) -> iolist().
text({[Scene], Steps}) -> inetpy_xs_steps:text(Scene, Steps).

step(Scene, N) ->
    Process = pick([1, 1, 1, 1, 2, 2, 3]),
    Call =
        case rand:uniform(30) of
            1 -> exit;
            2 -> flush;
            K when K =< 10 -> reads(Scene);
            K when K =< 17 -> writes(Scene);
            K when K =< 20 -> connects(Scene);
            K when K =< 23 -> cancels(N);
            K when K =< 25 -> ends();
            26 -> monitors(N);
            27 -> setopt();
            _ -> looks()
        end,
    {N, Process, with_handles(Process, Call)}.

%% '$Ha' and '$Hb' are handles of the process.
with_handles(Process, {Function, Arguments}) ->
    {Function, [
        case Argument of
            '$Ha' -> handle(Process, a);
            '$Hb' -> handle(Process, b);
            _ -> Argument
        end
     || Argument <- Arguments
    ]};
with_handles(_, Call) ->
    Call.

handle(Process, Which) -> list_to_atom(lists:concat(["$H", Process, Which])).

%% --- calls -----------------------------------------------------------------

end_() -> pick(['$A', '$A', '$A', '$B', '$B']).
any_socket() -> pick(['$A', '$A', '$A', '$B', '$B', '$C', '$L']).

reads(Scene) ->
    Socket = any_socket(),
    Flags = read_flags(Scene),
    case rand:uniform(8) of
        1 -> {recv, [Socket]};
        2 -> {recv, [Socket, size()]};
        3 -> {recv, [Socket, size(), timeout()]};
        4 -> {recv, [Socket, size(), Flags, timeout()]};
        5 -> {recv, [Socket, Flags, timeout()]};
        6 -> {recvfrom, [Socket, size(), Flags, timeout()]};
        7 -> {recvmsg, [Socket, size(), pick([0, 0, 5, 100]), Flags, timeout()]};
        8 -> {accept, ['$L', timeout()]}
    end.

writes(Scene) ->
    Socket = pick([end_(), end_(), '$C']),
    case rand:uniform(6) of
        1 -> {send, [Socket, data()]};
        2 -> {send, [Socket, data(), write_flags(), timeout()]};
        3 -> {send, [Socket, data(), timeout()]};
        4 -> {sendto, [Socket, data(), address(Scene), write_flags(), timeout()]};
        5 -> {sendmsg, [Socket, message(Scene), write_flags(), timeout()]};
        6 -> {sendmsg, [Socket, message(Scene), timeout()]}
    end.

message(Scene) ->
    Iov = [data() || _ <- lists:seq(1, rand:uniform(3))],
    case rand:uniform(4) of
        1 -> #{iov => Iov, addr => address(Scene)};
        2 -> #{iov => Iov, ctrl => []};
        _ -> #{iov => Iov}
    end.

connects(Scene) ->
    case rand:uniform(9) of
        1 -> {connect, ['$C', address(Scene)]};
        2 -> {connect, ['$C', address(Scene), pick([nowait, infinity, '$Ha'])]};
        3 -> {connect, ['$C', '$ToL', pick([nowait, infinity, '$Ha'])]};
        4 -> {connect, [any_socket(), '$ToL', nowait]};
        5 -> {connect, ['$C']};
        6 -> {bind, [any_socket(), pick(['$ToAny', address(Scene)])]};
        7 -> {listen, [any_socket()]};
        8 -> {listen, [any_socket(), pick([0, 1, 5, -1])]};
        9 -> {accept, [any_socket(), timeout()]}
    end.

cancels(N) ->
    Before = earlier(N),
    case rand:uniform(7) of
        1 -> {send, [end_(), result(rest, Before), result(info, Before), timeout()]};
        2 -> {recv, [end_(), size(), result(info, Before), timeout()]};
        3 -> {cancel, [pick(['$L', '$C']), result(info, Before)]};
        _ -> {cancel, [end_(), result(info, Before)]}
    end.

earlier(N) -> max(1, N - rand:uniform(6)).

result(What, N) -> list_to_atom(lists:concat(["$inetpy_xs_steps:", What, "(R", N, ")"])).

ends() ->
    pick([
        {close, [any_socket()]}, {close, [end_()]}, {shutdown, [end_(), pick([read, write, read_write])]},
        {shutdown, [any_socket(), write]},
        {setopt, gives()}
    ]).

%% No process gets both ends of a connection. When it ends, it is a matter of timing on OTP's `socket`, too, which end is closed
%% first, and whether a process that waits at the other end hears of its own end or of the peer's.
gives() ->
    {Socket, To} = pick([{'$A', ['$P1', '$P3']}, {'$A', ['$P1', '$P3']}, {'$B', ['$P2']}, {'$C', ['$P1', '$P2', '$P3']}, {'$L', ['$P1', '$P2', '$P3']}]),
    [Socket, {otp, controlling_process}, pick(To)].

monitors(N) ->
    pick([{monitor, [any_socket()]}, {cancel_monitor, [result(ref, earlier(N))]}]).

setopt() ->
    {setopt, [
        any_socket()
        | pick([
            [{otp, rcvbuf}, pick([10, 100, 8192])], [{otp, rcvbuf}, {pick([1, 3]), 100}], [{otp, rcvctrlbuf}, 64],
            [{otp, meta}, meta], [{otp, iow}, true], [{socket, linger}, #{onoff => true, linger => 0}],
            [{socket, sndbuf}, pick([2000, 50000])], [{socket, rcvbuf}, pick([2000, 50000])], [{socket, reuseaddr}, true],
            [{socket, rcvlowat}, 5], [{socket, timestamp}, true], [{socket, passcred}, true], [{socket, broadcast}, true],
            [{tcp, nodelay}, true], [{ip, recvttl}, true], [{otp, select_read}, true]
        ])
    ]}.

looks() ->
    Socket = any_socket(),
    pick([
        {info, [Socket]}, {info, [Socket]}, {info, [Socket]}, {sockname, [Socket]}, {peername, [Socket]},
        {getopt, [Socket, pick([
            {otp, rcvbuf}, {otp, controlling_process}, {otp, meta}, {socket, error}, {socket, acceptconn}, {socket, type},
            {socket, linger}, {socket, sndbuf}, {tcp, nodelay}
        ])]}
    ]).

size() -> pick([0, 0, 0, 1, 3, 10, 100, 5000, 70000]).
timeout() -> pick([0, 0, nowait, nowait, nowait, infinity, 10, '$Ha', '$Hb']).

%% On TCP the flag `trunc` drops data: the answer is whatever was in the memory.
read_flags(tcp) -> pick([[], [], [], [peek], [oob], [cmsg_cloexec]]);
read_flags(_) -> pick([[], [], [], [peek], [trunc], [oob], [cmsg_cloexec]]).
write_flags() -> pick([[], [], [nosignal], [more], [oob], [dontroute], [eor]]).

data() ->
    pick([<<>>, <<"x">>, <<"abc">>, "list", <<"0123456789">>] ++ ['$xc:fill(300)', '$xc:fill(9000)', '$xc:fill(400000)', '$xc:fill(9000000)']).

address(Scene) when Scene =:= udp; Scene =:= local_dgram -> pick(['$ToA', '$ToB', '$ToC', '$ToNobody']);
address(_) -> pick(['$ToL', '$ToL', '$ToL', '$ToNobody', '$ToAny']).
