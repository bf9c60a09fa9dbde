"""Plays one side of a recorded conversation, and compares what the other side says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from .chunking import Chunking
from .conversations import Conversation, End, Message
from .hexdump import first_difference, show_difference
from .matching import Different, Matching

__all__ = ["Line", "Manner", "Mismatch", "Player"]

_TLS = b"\x16\x03"  # a record of the handshake


class Mismatch(Exception):  # noqa: N818  the text is for a test that fails
    """The other side has said something else than what was recorded.

    conversation: which one. offset: bytes of the other side before the first that differs; of datagrams, the
    number of the datagram. expected, got: what was recorded from the beginning of the message on, and what
    has come. The text has all of it, with a hexdump of both.
    """

    def __init__(
        self, conversation: Conversation, offset: int, expected: bytes, got: bytes, why: str
    ) -> None:
        self.conversation = conversation
        self.offset = offset
        self.expected = expected
        self.got = got
        hint = "\n(this is TLS, whose bytes are others each time)" if expected.startswith(_TLS) else ""
        super().__init__(f"{conversation}: {why}{hint}")


class Line(Protocol):
    """A connection, or the datagrams of a peer."""

    async def receive(self, patience: float | None) -> bytes:
        """Some bytes, or one datagram. Raises EOFError at the end, and TimeoutError after so many seconds."""

    async def send(self, data: bytes) -> None:
        """Raises ConnectionError when the connection is lost."""

    async def taken(self) -> None:
        """Waits until the other side has read all, if that is known, for a moment at most."""

    def end(self) -> None:
        """Sends no more."""

    def close(self) -> None: ...

    def reset(self) -> None: ...


class Manner(NamedTuple):
    """How a side is played.

    match: how each message of the other side is compared. chunking: in which pieces ours are sent.
    speed: how many times as fast as recorded; None: at once. pause: waits for so many ns.
    patience: seconds for a message that does not fit yet to become one that does.
    """

    match: Callable[[Message], Matching]
    chunking: Chunking
    speed: float | None
    pause: Callable[[float], Awaitable[None]]
    patience: float


class Player:
    """One side of a conversation.

    missing: what the other side has still to send, or None.
    is_over: all of it has been played, or it has failed. A connection may be open still.
    on_over: called when all has been played.
    """

    def __init__(
        self,
        conversation: Conversation,
        is_client: bool,
        manner: Manner,
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        self.conversation = conversation
        self._on_over = on_over
        self.is_over = False
        self._is_client = is_client
        self._other = "server" if is_client else "client"
        self._manner = manner
        self._input = bytearray()
        self._offset = 0  # in the stream of the other side
        self._heard = 0  # bytes of the message that is awaited, which were compared and let go

    @property
    def missing(self) -> str | None:
        """A sentence for a test that has ended too early."""
        if self.is_over:
            return None
        size, got = self.conversation.size(not self._is_client), self._offset + self._heard + len(self._input)
        if got >= size:
            return f"{self.conversation}: it has not been played to its end"
        what = "bytes" if self.conversation.is_stream else "datagrams"
        return (
            f"{self.conversation}: the {self._other} has sent {got} of the {size} {what} that were recorded"
        )

    async def play(self, line: Line) -> None:
        """Closes the connection at the end. Raises Mismatch, and what a function of `match` raises."""
        try:
            for number, step in enumerate(self.conversation.steps):
                await self._step(step, line, self.conversation.steps[number + 1 :])
            self.is_over = True
            self._on_over()
            if self.conversation.is_stream:
                await self._see_end(line)
        except Exception:
            self.is_over = True
            raise
        line.close()

    async def _step(self, step: Message | End, line: Line, rest: list[Message | End]) -> None:
        is_ours = step.by_client is self._is_client
        if isinstance(step, Message):
            await (self._say(step, line) if is_ours else self._hear(step, line))
        elif not is_ours:
            if any(later.by_client is self._is_client for later in rest):
                await self._see_end(line)  # what we do next came after it
        else:
            await self._wait(step.gap)
            if step.is_reset:
                line.reset()
            else:
                line.end()

    async def _wait(self, gap: int | None) -> None:
        if self._manner.speed is not None and gap:
            await self._manner.pause(gap / self._manner.speed)

    # --- ours ---

    async def _say(self, message: Message, line: Line) -> None:
        parts = self._manner.chunking(message) if self.conversation.is_stream else message.parts
        for number, part in enumerate(parts):
            if number:
                await line.taken()
            await self._wait(part.gap)
            try:
                await line.send(part.data)
            except ConnectionError as error:
                raise self._ended(message, f"has gone before all was sent to it: {error}") from None

    # --- theirs ---

    async def _hear(self, message: Message, line: Line) -> None:
        matching = self._manner.match(message)
        if not self.conversation.is_stream:
            await self._hear_datagram(message, matching, line)
        elif matching.check is not None:
            await self._hear_pieces(message, matching.count, matching.check, line)
        else:
            await self._hear_bytes(message, matching, line)

    async def _hear_pieces(
        self, message: Message, count: int, check: Callable[[int, bytes], None], line: Line
    ) -> None:
        """A message of so many bytes."""
        while True:
            piece = bytes(self._input[: count - self._heard])
            try:
                check(self._heard, piece)
            except Different as different:
                self._recall(message)
                raise self._differs(message, different.at) from None
            del self._input[: len(piece)]
            self._heard += len(piece)
            if self._heard == count:
                break
            try:
                self._input += await line.receive(None)
            except (EOFError, ConnectionError):
                self._recall(message)
                raise self._ended(message, "has ended") from None
        self._offset += count
        self._heard = 0

    def _recall(self, message: Message) -> None:
        """What was let go was as recorded, but perhaps for `length`."""
        self._input[:0] = message.data[: self._heard]
        self._heard = 0

    async def _hear_bytes(self, message: Message, matching: Matching, line: Line) -> None:
        while True:
            size = self._fits(message, matching) if self._input else None
            if size is not None:
                break
            patience = self._manner.patience if matching.waits and self._input else None
            try:
                self._input += await line.receive(patience)
            except TimeoutError:
                raise self._differs(message, first_difference(message.data, bytes(self._input))) from None
            except (EOFError, ConnectionError):
                raise self._ended(message, "has ended") from None
        del self._input[:size]
        self._offset += size

    async def _hear_datagram(self, message: Message, matching: Matching, line: Line) -> None:
        self._input[:] = await line.receive(None)
        got = bytes(self._input)
        size = 0 if got == message.data else self._fits(message, matching)
        if got != message.data and size != len(got):
            raise self._differs(message, first_difference(message.data, got))
        self._input.clear()
        self._offset += 1

    def _fits(self, message: Message, matching: Matching) -> int | None:
        try:
            return matching.size(bytes(self._input))
        except Different as different:
            raise self._differs(message, different.at) from None

    async def _see_end(self, line: Line) -> None:
        """Nothing more was recorded."""
        if not self._input:
            try:
                self._input += await line.receive(None)
            except (EOFError, ConnectionError):
                return
        raise self._differs(Message(not self._is_client, []), 0)

    # --- what differs ---

    def _differs(self, message: Message, at: int) -> Mismatch:
        expected, got = message.data, bytes(self._input)
        is_stream = self.conversation.is_stream
        offset = self._offset + at if is_stream else self._offset
        if not message.parts:
            what = f"the {self._other} sends more than was recorded, from byte {offset} on"
        elif is_stream:
            what = f"byte {offset} of the {self._other} is not as recorded"
        else:
            what = f"datagram {offset + 1} of the {self._other} is not as recorded, from its byte {at} on"
        dump = show_difference(expected, got, at, self._offset if is_stream else 0)
        return Mismatch(self.conversation, offset, expected, got, f"{what}\n{dump}")

    def _ended(self, message: Message, how: str) -> Mismatch:
        expected, got = message.data, bytes(self._input)
        offset = self._offset + len(got)
        what = f"the {self._other} {how}, at its byte {offset}"
        if message.by_client is not self._is_client:
            left = self.conversation.size(not self._is_client) - offset
            dump = show_difference(expected, got, len(got), self._offset)
            what += f"; {left} bytes of it were recorded that are missing\n{dump}"
        return Mismatch(self.conversation, offset, expected, got, what)
