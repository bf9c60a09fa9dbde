"""Socket options: a table, and how lists of options are read and applied.

values     the types of options' values: terms to values and back
option     what a row of the table is; the socket that it is set on (`Target`)
access     where a value is: in the system, in our socket, or computed
setters    setting that is more than an assignment
multicast  groups and interfaces
control    control messages: tos, ttl, tclass, pktoptions
raw        options of the system by their numbers
table      one row per option; the options of each kind of sockets
settings   the values that are kept in our socket
applying   setopts and getopts
opening    the options of connect, listen and open
plain          the options of the system, by their names in `socket`: one row each; `table` names these
plain_values   the types of their values
plain_control  control messages of the module `socket`
"""

from __future__ import annotations

from .applying import Assignment, apply, elements, get, parse_settings
from .control import ControlMessage, build_control, parse_messages
from .opening import OpenOptions, parse_open
from .option import CONNECT, GET, LISTEN, OPEN, PLACES, SET, Option, OptionError, SocketClosed, Target
from .settings import Settings
from .table import DATAGRAM, LISTENER, OPTIONS, STREAM
from .values import parse_int

__all__ = [
    "CONNECT", "DATAGRAM", "GET", "LISTEN", "LISTENER", "OPEN", "OPTIONS", "PLACES", "SET", "STREAM",
    "Assignment", "ControlMessage", "OpenOptions", "Option", "OptionError", "Settings", "SocketClosed",
    "Target", "apply", "build_control", "elements", "get", "parse_int", "parse_messages", "parse_open",
    "parse_settings",
]  # fmt: skip
