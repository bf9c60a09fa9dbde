"""What a test records for a cassette, beside the trace of the network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..host.files import replaced_file
from ..trace.events import Call, Chunk, Event, Turn
from . import anywhere
from .addresses import normal_host
from .trace import begin, end, new_record

if TYPE_CHECKING:
    from .network import Network

__all__ = ["Recording"]

MEMORY = 256 << 20  # bytes


class Recording:
    """Records from now on, until `stop`. redact: as of `Trace.start`."""

    def __init__(self, network: Network, redact: Iterable[str | bytes | re.Pattern[bytes]]) -> None:
        self._network = network
        self._record = new_record(MEMORY, redact, {}, None)
        self._lines: list[str] | None = None
        anywhere.do(network.loop, lambda: begin(network.engine, self._record))

    def stop(self, times: bool = False) -> None:
        """Records no longer. The servers of the test, and its sockets among themselves, are left out."""
        if self._lines is None:
            self._lines = anywhere.do(self._network.loop, lambda: self._end(times))

    def _end(self, times: bool) -> list[str]:
        from ..replay.cassette import build_cassette

        end(self._network.engine, self._record)
        events = list(self._record.ring)
        outside = _Outside(self._network, events)
        return build_cassette(events, outside.has, times)

    def save(self, path: Path) -> None:
        """Writes the file at once, or not at all. Raises ValueError where there is too much, and OSError."""
        self.stop()
        if self._record.ring.dropped:
            raise ValueError(f"more than {MEMORY >> 20} MB were recorded: {path} is not written")
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(str(path)) as file:
            file.write("".join(f"{line}\n" for line in self._lines or ()).encode("utf-8", "replace"))


class _Outside:
    """Who is somebody else than the test and its nodes."""

    def __init__(self, network: Network, events: list[Event]) -> None:
        self._places = network.engine.places
        self._own = set(network.engine.places.known_names())
        tracks = {event.track for event in events if event.track is not None}
        self._accepted = {(track.remote, track.local) for track in tracks if track.facts.role == "accepted"}
        self._bound = {_port(track.local) for track in tracks if track.kind == "datagram"}

    def has(self, event: Event) -> bool:
        match event:
            case Call(fields=fields):
                name = str(event.args.get("arguments", [""])[0])
                return bool(fields) and normal_host(name) not in self._own
            case Chunk(track=track, peer=peer) if track.kind == "datagram":
                return not self._places.serves_datagrams(peer) and _port(peer) not in self._bound
            case Chunk(track=track) | Turn(track=track):
                facts = track.facts
                if facts.role != "client" or (track.local, track.remote) in self._accepted:
                    return False
                return not self._places.serves(1, facts.peer, facts.port)
        return False


def _port(address: object) -> object:
    return address[1] if isinstance(address, tuple) and len(address) > 1 else address
