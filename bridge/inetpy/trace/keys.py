"""Keys of TLS connections, with which Wireshark opens their bytes.

    Python's own sessions     ssl writes their keys when it has them: before the first bytes that need them
    those of OTP's ssl        the node is asked when a handshake begins, and answers when it is over

A node gives keys of connections with `{keep_secrets, true}` only. Where something is hidden from a trace, no
keys come into it: what they open would not be hidden.
"""

from __future__ import annotations

from collections.abc import Callable

from ..codec.terms import Pid
from .events import Event, Keys, Track

__all__ = ["Asked", "is_hello"]

_HANDSHAKE, _CLIENT_HELLO = 22, 1


def is_hello(data: bytes) -> bool:
    """Whether these bytes begin a handshake: a record with a ClientHello at its beginning."""
    return len(data) > 5 and data[0] == _HANDSHAKE and data[1] == 3 and data[5] == _CLIENT_HELLO


class Asked:
    """The connections whose keys a node has been asked for, and has not given yet.

    ask: asks the session with that number for the keys of a process. note: takes the answers.
    """

    def __init__(self, ask: Callable[[int, Pid], None], note: Callable[[Event], None]) -> None:
        self._ask = ask
        self._note = note
        self._waiting: dict[tuple[int, Pid], list[Track]] = {}

    def ask(self, track: Track) -> None:
        """Its owner is the process of the connection."""
        track.awaits_keys = True
        key = track.session, track.facts.owner
        is_new = key not in self._waiting
        self._waiting.setdefault(key, []).append(track)
        if is_new:
            self._ask(*key)

    def answered(self, time: int, session: int, owner: Pid, lines: list[str]) -> None:
        for track in self._waiting.pop((session, owner), []):
            track.awaits_keys = False
            self._note(Keys(time, track, lines))

    def gone(self, time: int, session: int) -> None:
        """Nobody answers any more."""
        for number, owner in [key for key in self._waiting if key[0] == session]:
            self.answered(time, number, owner, [])
