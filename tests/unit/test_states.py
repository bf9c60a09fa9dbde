"""The tables of a connection: they are whole, and say what inet_drv does."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from inetpy.sockets.handle import CLOSED, CONNECTED, CONNECTING, OPEN
from inetpy.sockets.tcp.failures import STEPS
from inetpy.sockets.tcp.state import (
    FAILURES,
    FLUSHING,
    LIFE,
    LOSE,
    PEER_CLOSED,
    READ_FAILED,
    WRITE_FAILED,
    LastWords,
    Step,
)

EVENTS = (PEER_CLOSED, READ_FAILED, WRITE_FAILED)


def test_every_state_can_be_reached_and_left() -> None:
    """Life begins with OPEN; from every state the descriptor can be lost, and CLOSED is the end."""
    reached, found = {OPEN}, [OPEN]
    while found:
        for after in LIFE[found.pop()].values():
            if after not in reached:
                reached.add(after)
                found.append(after)
    assert reached == set(LIFE) == {OPEN, CONNECTING, CONNECTED, FLUSHING, CLOSED}
    assert all(events[LOSE] == CLOSED for events in LIFE.values())
    assert set(LIFE[CLOSED].values()) == {CLOSED}


def test_failures_cover_all_cases() -> None:
    """Each event, active or passive, with exit_on_close or without."""
    assert set(FAILURES) == set(product(EVENTS, (True, False), (True, False)))


def test_every_step_is_done_and_used() -> None:
    used = {step for steps in FAILURES.values() for step in steps}
    assert used == set(get_args(Step)) == set(STEPS)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("exit_on_close", [True, False])
def test_active_sockets_tell_and_passive_ones_answer(event: str, exit_on_close: bool) -> None:
    """An owner gets messages when the socket is active; a passive socket answers its callers."""
    active, passive = FAILURES[event, True, exit_on_close], FAILURES[event, False, exit_on_close]
    assert "tell_owner" in active
    assert not {"answer_receiver", "fail_receiver"} & set(active)
    assert "tell_owner" not in passive
    assert {"answer_receiver", "fail_receiver"} & set(passive)
    assert ("terminate" in active) == exit_on_close  # only an active socket ends by itself
    assert "terminate" not in passive


@pytest.mark.parametrize("steps", FAILURES.values(), ids=map(str, FAILURES))
def test_order(steps: tuple[Step, ...]) -> None:
    """Senders are told while the descriptor is there; nothing comes behind the end of a handle."""
    assert len(set(steps)) == len(steps)
    if "terminate" in steps:
        assert steps[-1] == "terminate"
    if "allow_last_send" in steps:  # it looks whether a sender waits
        assert steps.index("allow_last_send") < steps.index("fail_sender")


def test_last_words_are_said_once() -> None:
    """`closed` or `econnreset` for the first that asks, `enotconn` for all behind it."""
    words = LastWords()
    assert (words.for_send(), words.for_recv(), words.for_owner()) == ("enotconn", "enotconn", None)
    words.send = words.recv = True
    assert [words.for_send(), words.for_send()] == ["closed", "enotconn"]
    assert [words.for_recv(), words.for_recv()] == ["closed", "enotconn"]
    words.send = words.recv = words.reset = True
    assert words.for_recv() == "econnreset"
    assert words.for_send() == "enotconn"  # recv has said it
    words.send = words.reset = True
    assert words.for_send() == "econnreset"
    words.reset = True
    assert [words.for_owner(), words.for_owner()] == ["econnreset", None]
