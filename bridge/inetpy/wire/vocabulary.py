"""All atoms that Python sends of its own, rather than sending back atoms that it received.

The greeting lists them, so that they exist in the node before the first frame. The node decodes
frames without creating atoms (`binary_to_term` with `safe`). tests/test_vocabulary.py checks that
each atom in the sources is in this list.
"""

from __future__ import annotations

from ..host.errors import POSIX_NAMES
from ..packet.http import HEADERS, METHODS
from .plain_vocabulary import PLAIN_ATOMS
from .requests import SESSION, SOCKET

__all__ = ["ATOMS"]

# answers and their reasons
_ANSWERS = (
    "ok error raise exit transfer closed timeout not_owner nxdomain badarg badarith function_clause "
    "inetpy bad_request exception unknown_op exbadport"
)
# messages to owners
_EVENTS = (
    "tcp tcp_closed tcp_error tcp_passive udp udp_closed udp_error udp_passive data ssl_tls inetpy_exception "
    "http https http_eoh http_error http_header http_request http_response abs_path absoluteURI scheme *"
)
# notes to the bridge process
_NOTES = (
    "hello atoms $inet open owner mode closed watch unwatch deliver renamed log refused pong "
    "context names lineage keys stray keep forget agent hidden recall "
    # to the feeder of a large send
    "more stop "
    "critical warning info debug stream listener datagram"
)
# values: of options, of addresses, of interfaces, of sockets' states and counters
_VALUES = (
    "true false undefined once infinity list binary term port raw line asn1 cdr sunrm fcgi tpkt ssl "
    "http_bin httph httph_bin tos ttl tclass any local inet inet6 unspec addr family flowinfo scope_id "
    "hostent flags up broadcast loopback pointtopoint running multicast netmask broadaddr dstaddr hwaddr "
    "connected connecting listen accepting busy "
    "recv_oct recv_cnt recv_max recv_avg recv_dvi send_oct send_cnt send_max send_avg send_pend"
)
# rules of a network in play: whom, what, when
_RULES = (
    "bad_rule application "
    "host peer port local_port proto role direction label owner "
    "tcp udp unix client listener accepted send recv both "
    "latency bandwidth slice limit reset slow_close blackhole half_open down refuse loss duplicate corrupt "
    "reorder truncate error short_read short_write eagain nxdomain resolve_timeout "
    "ms jitter rate size variation delay bytes then close after_bytes after_ms p gap call errno n "
    "connect accept bind listen setopt resolve "
    "when nth probability first periodic for_ms "
    "key whom what fired all offset "
    "bad_network seed failures"
)

# traces: events, and turns in the life of a socket
_TRACES = (
    "no_trace bad_trace trace_failed opened_at opened_by "
    "event time op args answer start end faults call bytes direction detail socket fault rule "
    "opened connecting connected failed eof shutdown reset fin read write read_write"
)
# the same: the names of calls and of their arguments
_CALLS = {word for table in (SESSION, SOCKET) for op in table for word in (op, *table[op].record.fields)}

ATOMS = (
    frozenset(" ".join((_ANSWERS, _EVENTS, _NOTES, _VALUES, _RULES, _TRACES)).split())
    | _CALLS
    | PLAIN_ATOMS
    | POSIX_NAMES
    | set(HEADERS)
    | {method.decode() for method in METHODS}
)
