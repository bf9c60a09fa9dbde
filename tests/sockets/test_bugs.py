"""A bug anywhere in the code of sockets: every caller is answered, and all other sockets go on.

Each method of each class is made to raise, one at a time, in the scenes that call it.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inetpy.fast import FastPaths
from inetpy.links.encoding import FrameLink
from inetpy.operations import dispatch, lookups, openers
from inetpy.packet.buffer import InputBuffer
from inetpy.session.session import Session
from inetpy.session.waiting import Waiting
from inetpy.sockets import counters, listener, race
from inetpy.sockets.datagram import Datagram
from inetpy.sockets.handle import Handle
from inetpy.sockets.plain import SESSION_OPERATIONS, Plain, closing as ends, waiters
from inetpy.sockets.tcp import (
    closing,
    connecting,
    delivery,
    failures,
    outbox,
    part,
    receiving,
    sendfile,
    sending,
    state,
    stream,
)
from scenes import SCENES, Linked, Scene

# A method that raises in place of what it does closes no socket: the collector does.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CLASSES: list[type] = [
    Handle, Datagram, InputBuffer, counters.Counters, listener.Acceptor, listener.Listener,
    lookups._Lookup, race.Race, stream.Stream, part.Part, closing.Closer, closing.Closing,
    connecting.Connecting, delivery.Delivery, outbox.Outbox, outbox.Remote, receiving.Receiving,
    sendfile.FileSend, sending.Sending, state.LastWords, Waiting, Session, FastPaths, FrameLink,
    Plain, waiters.Waiters, ends._Closer, ends._Remains,
]  # fmt: skip
# Where functions stand besides their module or class.
TABLES: list[dict[Any, Any]] = [
    Handle.ops, Datagram.ops, listener.Listener.ops, stream.Stream.ops,
    failures.STEPS, dispatch.OPERATIONS, Plain.ops, SESSION_OPERATIONS,
]  # fmt: skip

Place = tuple[Any, str]

# What the end of a failed object consists of, and what only `repr` calls.
ENDS = {"fail", "fail_callers", "_tell_failure", "drop_descriptor", "__repr__"}
NOT_RAISING = {
    *((owner, name) for owner in CLASSES for name in ENDS),
    # Every kind of socket has its own.
    (Handle, "on_ready"), (Handle, "on_options"),
    # Nothing calls them in a session that works: an end is told for a failed listener only, and each
    # change of a mode finds a frame that carries it (tests/test_link.py calls the latter).
    (listener.Listener, "tell_closed"), (FrameLink, "_tell_modes"),
    # Without them nothing is said at all.
    (FrameLink, "_tell_note"), (FrameLink, "_emit_behind"),
    # They come before the first request, or behind the last.
    (Session, "__init__"), (FastPaths, "__init__"), (FastPaths, "close"),
    (FrameLink, "__init__"), (FrameLink, "hello"), (FrameLink, "refused"), (Session, "end"),
    # The start and the end of a trace call it, and no request.
    (FastPaths, "step_aside"),
    # They do nothing.
    (Plain, "renamed"), (Plain, "may_ask_once"),
    # Only a network in play calls it, for a server in memory; and only a node of OTP 26 or later.
    (Plain, "exchange"), (waiters.Waiters, "take_first"),
    # Only `inetpy.testing` calls it.
    (FrameLink, "agent"),
}  # fmt: skip


# A bug in what all sockets share can cost more than one object. What is not promised then:
# the frame is lost, and what it asked for: the link logs the bug, and goes on
LOSES_THE_FRAME = {
    (Session, "on_down"), (Session, "rename"), (Session, "set_congested"),
    (Waiting, "withdraw"), (FrameLink, "log"),
    # those that only a network in play calls
    *((FrameLink, name) for name in ("in_play", "names", "lineage", "keys", "stray", "keep", "forget")),
}  # fmt: skip
# callers may wait for ever: there is no other way to their answers
ANSWERS_NOBODY = LOSES_THE_FRAME | {
    (Waiting, "answer"), (connecting.Connecting, "end"), (race.Race, "_end"),
}  # fmt: skip
# the node may think that a socket is there which is not, or that a process is watched which is not
TELLS_NOT = {(Session, "remove"), (Session, "unwatch"), (Session, "on_down")}


class InjectedError(Exception):
    """What a broken method raises."""


def methods() -> Iterator[Place]:
    """All that may raise: the methods of sockets and of their parts, and what opens them."""
    for owner in CLASSES:
        for name, thing in vars(owner).items():
            if inspect.isfunction(thing) and (owner, name) not in NOT_RAISING:
                yield owner, name
    for name in ("_open", "_handle", "_adopt", "_local_address"):
        yield openers, name
    for name in ("run", *(step.__name__ for step in failures.STEPS.values())):
        yield failures, name
    for name in ("_abort_all", "_close", "close_file"):
        yield ends, name
    for operation in dispatch.OPERATIONS.values():
        yield inspect.getmodule(operation), operation.__name__


PLACES = list(methods())


def replace(patch: pytest.MonkeyPatch, place: Place, function: Callable[..., Any]) -> None:
    """Puts `function` in the place, and into all tables that have what was there."""
    original = getattr(*place)
    patch.setattr(*place, function)
    for table in TABLES:
        for key, entry in list(table.items()):
            if entry is original:
                patch.setitem(table, key, function)


@functools.cache
def reached() -> dict[Place, list[Scene]]:
    """The scenes that call what is in each place."""
    found: dict[Place, list[Scene]] = {place: [] for place in PLACES}
    scenes: list[Scene] = []

    def noting(place: Place) -> Callable[..., Any]:
        original = getattr(*place)

        def noted(*arguments: Any, **named: Any) -> Any:
            if scenes and scenes[-1] not in found[place]:
                found[place].append(scenes[-1])
            return original(*arguments, **named)

        return noted

    with pytest.MonkeyPatch.context() as patch:
        for place in PLACES:
            replace(patch, place, noting(place))
        for scene in SCENES:
            with scene.open_world() as world:
                scenes.append(scene)
                scene.play(world)
                world.end()
                scenes.clear()
    return found


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_everything_goes_well(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """What the cases below do raises nothing by itself, and leaves nothing."""
    before = len(os.listdir("/proc/self/fd"))
    with scene.open_world() as world:
        scene.play(world)
        world.end()
        assert not world.unanswered()
        if scene.world is not Linked:
            world.link.assert_balanced(world.session)
        assert world.works()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0].__name__.split('.')[-1]}-{place[1]}")
def test_a_bug(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every caller is answered, the loop does not spin, and other sockets work."""
    scenes = reached()[place]
    assert scenes, "no scene calls it"
    original = getattr(*place)
    armed, raised = False, 0

    def broken(*arguments: Any, **named: Any) -> Any:
        nonlocal raised
        if not armed:
            return original(*arguments, **named)
        raised += 1
        raise InjectedError(place[1])

    replace(monkeypatch, place, broken)
    for scene in scenes:
        with scene.open_world() as world:
            armed, patience, world.patience = True, world.patience, 0.3
            try:
                scene.play(world)
            except InjectedError:
                assert place in LOSES_THE_FRAME
            except RuntimeError:
                raise  # a socket stays ready
            except Exception:
                pass  # the scene cannot go on behind an answer that is an error
            try:
                world.end()
            except InjectedError:
                assert place in LOSES_THE_FRAME
            armed, world.patience = False, patience
            assert place in ANSWERS_NOBODY or not world.unanswered(), scene.name
            if scene.world is not Linked and place not in TELLS_NOT:
                assert world.link.faults == [], scene.name
                assert world.link.opened_sockets.keys() == world.session.sockets.keys(), scene.name
            assert world.works(), scene.name
    assert 0 < raised < 5000
