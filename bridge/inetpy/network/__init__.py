"""The network in Python's hands: faults, names, and servers in memory.

    from inetpy.network import latency, nth, reset
    network.fault(latency(200), host="db.*")
    network.fault(reset(after_bytes=1000), port=6379, when=nth(2))

network     what users have: `Network`
trace       what was asked of the sockets, and what they sent and received
traces      the same for a node: what `inetpy_trace` asks
replay      a recorded trace, played again
lines       the connections of those who play it
recording   what a test records for a cassette
anywhere    work in the loop of the servers, asked for from any thread
file        a network that is described in a file
described   such a file in a process that runs, and its end
scenes      what has happened in a test, and what is to go at its end
faults      the words for faults, and for when they happen
arguments   the arguments of faults
whom        whom a fault concerns
rules       a fault, whom it concerns and when it happens; random numbers
schedules   faults that are described before they hold
scripts     where the faults of a recorded run happened, to repeat them
script_file  these, from a trace
report      what a failing test shows
clock       time: real, at a rate, or advanced by hand
each_call   every error path of a program, once
places      names, and servers in memory: what a strict network has
periods     rules that come and go with time
verbs       what `inetpy_fault` asks of the rules
keylog      the keys of Python's sessions of TLS
strays      messages that nobody has received
lineages    what the owners of sockets are and descend from
node        the network, as the session of one node has it
engine      the rules and names of one process, and the sockets that they concern
calls       faults at a call
course      one direction of a socket: stages, one behind another
stages      what faults do to the bytes of a stream
datagram_stages     what faults do to datagrams
controllable  which sockets a network can control
controlled  what controlled sockets have in common
streams     a controlled stream
relay       moves bytes between a controlled stream and its socket
datagrams   a controlled datagram socket
listeners   a controlled listener
diverted    a stream of inetpy_socket to a server in memory
resolver    names as the network has them
requests    rules as terms
control     the rules, for `inetpy faults`
servers     servers in memory, and Python's clients
conn        a connection, as a coroutine reads and writes it
remote      the same for other threads
transport   asyncio transports over sockets of a host
addresses   addresses of names
certificates    contexts of TLS
"""

from .faults import (
    Fault,
    When,
    bandwidth,
    blackhole,
    corrupt,
    down,
    duplicate,
    eagain,
    error,
    first,
    half_open,
    latency,
    limit,
    loss,
    nth,
    nxdomain,
    periodic,
    probability,
    refuse,
    reorder,
    reset,
    resolve_timeout,
    short_read,
    short_write,
    slice,  # noqa: A004
    slow_close,
    truncate,
)
from .schedules import PlannedFault, fault

__all__ = [
    "Fault", "PlannedFault", "When", "bandwidth", "blackhole", "corrupt", "down", "duplicate", "eagain",
    "error", "fault", "first", "half_open", "latency", "limit", "loss", "nth", "nxdomain", "periodic",
    "probability", "refuse", "reorder", "reset", "resolve_timeout", "short_read", "short_write", "slice",
    "slow_close", "truncate",
]  # fmt: skip
