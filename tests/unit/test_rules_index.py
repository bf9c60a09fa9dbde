"""Rules are found by port, host and network, and those are the rules that a look at all of them finds."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from in_process import OWNER
from inetpy.network.faults import latency
from inetpy.network.rules import Rule, Rules
from inetpy.network.whom import Facts, Whom

WHOMS: list[dict[str, object]] = [
    {},
    {"port": 80},
    {"port": 80, "peer": "10.1.0.0/16"},
    {"host": "db.example"},
    {"host": "db.*", "peer": "10.1.2.3"},
    {"peer": "0.0.0.0/0"},
    {"peer": "10.0.0.0/8"},
    {"peer": "10.1.2.3/16"},
    {"peer": (10, 1, 2, 3)},
    {"peer": "::ffff:10.1.2.3"},
    {"peer": "::/0"},
    {"peer": "fd00::/8"},
    {"peer": "fd00::1", "role": "client"},
    {"role": "accepted"},
    {"proto": "udp", "peer": "10.1.2.0/23"},
]
PEERS = [None, "10.1.2.3", "10.1.255.255", "10.2.0.0", "11.0.0.1", "fd00::1", "fe00::1", "/a/path", "::1%lo"]


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("port", [None, 80, 81])
@pytest.mark.parametrize("host", [None, "db.example", "other.example"])
def test_the_same_rules(peer: str | None, port: int | None, host: str | None) -> None:
    rules = Rules(1)
    added = [Rule(latency(1), Whom(whom)) for whom in (*WHOMS, *reversed(WHOMS))]
    for rule in added:
        rules.add(rule)
    for proto, role in (("tcp", "client"), ("tcp", "accepted"), ("udp", None)):
        facts = Facts(proto, role, OWNER, host=host, peer=peer, port=port)
        assert rules.concerning(facts) == [rule for rule in added if rule.whom.may_fit(facts)]
    for rule in added[::2]:
        rules.remove(rule)
    assert rules.concerning(facts) == [rule for rule in added[1::2] if rule.whom.may_fit(facts)]


@pytest.mark.parametrize("network", ["10.1.0.0/16", "0.0.0.0/0", "10.1.2.3/32", "10.1.2.2/31", "fd00::/8"])
def test_the_addresses_of_a_network(network: str) -> None:
    """As the module ipaddress has it."""
    whom = Whom({"peer": network})
    for peer in ("10.1.2.3", "10.1.2.2", "10.2.0.0", "9.255.255.255", "fd00::1", "fc00::1", "::"):
        version = ip_address(peer).version
        inside = ip_network(network).version == version and ip_address(peer) in ip_network(network)
        assert whom.fits(Facts("tcp", "client", OWNER, peer=peer, port=1)) is inside
