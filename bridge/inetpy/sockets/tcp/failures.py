"""What follows when a connection fails: runs the steps of the table in `state`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ...wire.active import PASSIVE
from ...wire.messages import build_error
from .. import early
from .state import FAILURES, WRITE_FAILED, Step

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["STEPS", "Failure", "run"]

CLOSED = build_error("closed")


class Failure(NamedTuple):
    """One failure.

    error: the name of an error, or None where the peer has closed.
    ref: the send that met it, or None.
    reported: whether a caller has had the error already.
    """

    error: str | None = None
    ref: bytes | None = None
    reported: bool = False


def run(stream: Stream, event: str, failure: Failure) -> None:
    """Does what the table says."""
    early.end(stream)
    if event == WRITE_FAILED:
        # What had come whole before the failure goes out first.
        stream.delivery.finish()
        shown = failure.error == "econnreset" and stream.options.show_econnreset
        has_caller = failure.ref is not None or stream.sending.busy is not None
        failure = failure._replace(
            error="econnreset" if shown else None, reported=failure.reported or has_caller
        )
    for step in FAILURES[event, stream.active != PASSIVE, stream.options.exit_on_close]:
        STEPS[step](stream, failure)


def _allow_last_send(stream: Stream, _failure: Failure) -> None:
    if stream.sending.busy is None and stream.sending.file is None:
        stream.last_words.send = True


def _fail_sender(stream: Stream, _failure: Failure) -> None:
    if stream.sending.busy is not None:
        stream.sending.drop()
        stream.sending.end_busy(CLOSED)


def _fail_file(stream: Stream, failure: Failure) -> None:
    if stream.sending.file is not None:
        stream.sending.file.end(failure.error or "closed")


def _clear_input(stream: Stream, _failure: Failure) -> None:
    stream.receiving.inbox.clear()


def _tell_owner(stream: Stream, failure: Failure) -> None:
    stream.tell_closed(failure.error)


def _answer_sender(stream: Stream, failure: Failure) -> None:
    answer = build_error(failure.error or "closed")
    if stream.sending.busy is not None:
        stream.sending.end_busy(answer)
    if failure.ref is not None:
        stream.session.answer(failure.ref, answer)


def _answer_receiver(stream: Stream, failure: Failure) -> None:
    stream.receiving.answer(build_error(failure.error or "closed"))


def _fail_receiver(stream: Stream, _failure: Failure) -> None:
    stream.receiving.answer(CLOSED)


def _remember(stream: Stream, failure: Failure) -> None:
    words = stream.last_words
    words.send = words.send or not failure.reported
    words.recv = True
    words.reset = failure.error is not None


def _stop_reading(stream: Stream, _failure: Failure) -> None:
    stream.receiving.stop()


def _drop_output(stream: Stream, _failure: Failure) -> None:
    stream.sending.drop()


def _close_descriptor(stream: Stream, _failure: Failure) -> None:
    stream.close_descriptor()


def _terminate(stream: Stream, _failure: Failure) -> None:
    stream.terminate()


STEPS: dict[Step, Callable[[Stream, Failure], None]] = {
    "allow_last_send": _allow_last_send,
    "fail_sender": _fail_sender,
    "fail_file": _fail_file,
    "clear_input": _clear_input,
    "tell_owner": _tell_owner,
    "answer_sender": _answer_sender,
    "answer_receiver": _answer_receiver,
    "fail_receiver": _fail_receiver,
    "remember": _remember,
    "stop_reading": _stop_reading,
    "drop_output": _drop_output,
    "close_descriptor": _close_descriptor,
    "terminate": _terminate,
}
