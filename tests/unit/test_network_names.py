"""The names of a network: what the node is told of them, and names that nobody is to reach."""

from __future__ import annotations

import pytest

from in_memory import Bench
from inetpy.network.engine import Engine
from inetpy.network.network import Network
from with_network import NetworkBench


class World(NetworkBench):
    @property
    def told(self) -> dict[str, list[str]]:
        return self.link.known_names


@pytest.fixture
def world() -> World:
    return World()


def test_the_node_is_told_of_names_when_they_change(world: World) -> None:
    world.network.names({"DB.example": "10.0.0.7", "none.example": []})
    assert world.told == {"db.example": ["10.0.0.7"], "none.example": []}
    world.link.known_names = {}
    world.network.strict()
    assert world.told == {}, "told again, though nothing has changed"


def test_a_node_that_comes_later_is_told_at_once() -> None:
    bench = Bench()
    engine = Engine(bench.host, 1)
    Network(engine).names({"db.example": ["10.0.0.7", "fd00::1"]})
    engine.attach(bench.session)
    assert bench.link.known_names == {"db.example": ["10.0.0.7", "fd00::1"]}


@pytest.mark.parametrize("word", ["refuse", "blackhole"])
def test_a_name_that_nobody_is_to_reach(world: World, word: str) -> None:
    rule = getattr(world.network, word)("X.example.", 80)
    assert world.told == {"x.example": ["198.18.0.1", "2001:2::1"]}
    assert world.engine.addresses_of("x.example") == ["198.18.0.1", "2001:2::1"]
    assert world.engine.places.name_of("198.18.0.1") == "x.example"
    rule.remove()
    assert world.told == {}
    assert world.engine.addresses_of("x.example") is None
    assert not world.engine.is_in_play()


def test_two_rules_for_a_name(world: World) -> None:
    world.network.refuse("x.example", 80).remove()
    first, second = world.network.refuse("x.example", 80), world.network.blackhole("x.example", 81)
    first.remove()
    assert list(world.told) == ["x.example"]
    second.remove()
    assert world.told == {}


def test_heal_forgets_it(world: World) -> None:
    world.network.refuse("x.example")
    world.network.heal()
    assert world.told == {}


@pytest.mark.parametrize("host", ["10.0.0.1", "::1", "localhost", "*.example", "db?.example", "DB.example"])
def test_hosts_without_an_address_of_their_own(world: World, host: str) -> None:
    known = {"db.example": ["10.0.0.7"]}
    world.network.names(known)
    world.network.refuse(host)
    assert world.told == known


def test_an_unknown_name_is_noted_once(world: World) -> None:
    world.network.strict()
    for _ in range(2):
        assert world.engine.addresses_of("x.example") == []
    assert world.network.failures == ["x.example is looked up, which the network does not have"]


@pytest.mark.parametrize("text", ["127.0.0.1", "127.1", "::1", "10.0.0.1"])
def test_an_address_is_no_name(world: World, text: str) -> None:
    """A strict network refuses to connect there, and not the lookup."""
    world.network.strict()
    assert world.engine.addresses_of(text) is None
    assert world.engine.addresses_of("a.example") == []
    assert len(world.network.failures) == 1
