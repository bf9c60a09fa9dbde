"""The states of a connection, and what each event does in them: tables to hold against inet_drv.

Life. A handle stands for what the port of a stock socket stands for, and can outlive its descriptor.

    OPEN        a descriptor that is not connected
    CONNECTING  connect(2) is in progress
    CONNECTED   packets come and go
    FLUSHING    the handle is gone; what is queued is still written
    CLOSED      the descriptor is closed; the handle may still answer

Failures. The peer has closed, reading failed, or writing failed. What follows depends on the active
mode and on the option `exit_on_close`.

Last words. After a failed write on a passive socket, the next recv and the next send say why, once:
`closed`, or `econnreset`. After the peer's close only the next send does. All behind that say `enotconn`.

Outside of the tables: a failed write first delivers what had come whole, and hides an error that the option
show_econnreset does not ask for (`failures.run`). An owner that makes a closed socket active is told of its
end (`Stream.set_active`). The option send_timeout_close closes the descriptor (`Sending.on_timeout`).
"""

from __future__ import annotations

from typing import Literal

from ..handle import CLOSED, CONNECTED, CONNECTING, LOSE, OPEN, Life

__all__ = [
    "ESTABLISHED", "FAILURES", "FLUSH", "FLUSHING", "IN_PROGRESS", "LIFE", "LOSE",
    "PEER_CLOSED", "READ_FAILED", "WRITE_FAILED", "LastWords", "Step",
]  # fmt: skip

FLUSHING = "flushing"

# --- life: state -> event -> next state ---------------------------------------

IN_PROGRESS, ESTABLISHED, FLUSH = "in_progress", "established", "flush"

LIFE: Life = {
    OPEN: {IN_PROGRESS: CONNECTING, ESTABLISHED: CONNECTED, LOSE: CLOSED},
    CONNECTING: {ESTABLISHED: CONNECTED, LOSE: CLOSED},
    CONNECTED: {FLUSH: FLUSHING, LOSE: CLOSED},
    FLUSHING: {LOSE: CLOSED},
    CLOSED: {LOSE: CLOSED},
}

# --- failures: (event, active, exit_on_close) -> steps ------------------------

PEER_CLOSED, READ_FAILED, WRITE_FAILED = "peer_closed", "read_failed", "write_failed"

Step = Literal[
    "fail_sender",  # the caller that waits in send gets `closed`, and the queue is dropped
    "fail_file",  # the caller that waits in sendfile gets the error
    "allow_last_send",  # the next send says `closed` once, unless a sender that waits gets `closed` now
    "clear_input",
    "tell_owner",  # tcp_error if there is an error to tell, and tcp_closed once in a socket's life
    "answer_sender",  # the caller of this send, and the caller that waits in send
    "answer_receiver",  # the caller in recv gets the error, or `closed`
    "fail_receiver",  # the caller in recv gets `closed`
    "remember",  # the next send and recv say why, once
    "stop_reading",
    "drop_output",
    "close_descriptor",
    "terminate",
]

_SENDER: tuple[Step, ...] = ("allow_last_send", "fail_sender", "fail_file")

FAILURES: dict[tuple[str, bool, bool], tuple[Step, ...]] = {
    # tcp_recv_closed
    (PEER_CLOSED, True, True): (*_SENDER, "clear_input", "tell_owner", "drop_output", "terminate"),
    (PEER_CLOSED, True, False): (*_SENDER, "clear_input", "tell_owner", "stop_reading"),
    (PEER_CLOSED, False, True): (*_SENDER, "clear_input", "close_descriptor", "answer_receiver"),
    (PEER_CLOSED, False, False): (*_SENDER, "clear_input", "stop_reading", "answer_receiver"),
    # tcp_recv_error
    (READ_FAILED, True, True): (
        "fail_sender", "fail_file", "clear_input", "tell_owner", "drop_output", "terminate",
    ),
    (READ_FAILED, True, False): (
        "fail_sender", "fail_file", "clear_input", "tell_owner", "stop_reading",
    ),
    (READ_FAILED, False, True): (
        "fail_sender", "fail_file", "clear_input", "close_descriptor", "answer_receiver",
    ),
    (READ_FAILED, False, False): (
        "fail_sender", "fail_file", "clear_input", "stop_reading", "answer_receiver",
    ),
    # tcp_send_or_shutdown_error
    (WRITE_FAILED, True, True): ("tell_owner", "answer_sender", "drop_output", "terminate"),
    (WRITE_FAILED, True, False): ("tell_owner", "answer_sender", "close_descriptor"),
    (WRITE_FAILED, False, True): ("fail_receiver", "answer_sender", "close_descriptor", "remember"),
    (WRITE_FAILED, False, False): ("fail_receiver", "answer_sender", "close_descriptor", "remember"),
}  # fmt: skip


class LastWords:
    """What the next send and the next recv say of a connection that has ended.

    send, recv: whether it is still to be said (TCP_ADDF_DELAYED_CLOSE_SEND and _RECV in inet_drv).
    reset: whether it is `econnreset` (TCP_ADDF_DELAYED_ECONNRESET).
    closed_sent: whether the owner has had its `tcp_closed` (TCP_ADDF_CLOSE_SENT).
    """

    __slots__ = ("closed_sent", "recv", "reset", "send")

    def __init__(self) -> None:
        self.send = self.recv = self.reset = self.closed_sent = False

    def for_send(self) -> str:
        """Why a send fails."""
        if not self.send:
            return "enotconn"
        self.send = False
        return "econnreset" if self.reset else "closed"

    def for_recv(self) -> str:
        """Why a recv fails. The next send says no more then."""
        if not self.recv:
            return "enotconn"
        name = "econnreset" if self.reset else "closed"
        self.recv = self.send = self.reset = False
        return name

    def for_owner(self) -> str | None:
        """The error to tell an owner that makes the socket active again, or None."""
        reset, self.reset = self.reset, False
        return "econnreset" if reset else None
