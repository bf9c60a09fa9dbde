"""RabbitMQ whose clients lose their connections, by faults in the sockets of the broker.

A publisher and a consumer connect again and go on. No message that the broker has confirmed is lost, and the
broker itself goes on. The rules come from the command `inetpy faults`, and once from Erlang, by rabbitmqctl.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rabbitmq_broker import Broker

pika = pytest.importorskip("pika")
pytest_plugins = ["rabbitmq_fixtures"]

QUEUE = "of-all-that-was-sent"
MESSAGES = 300
HEARTBEAT = 1  # seconds
PAUSE = 0.05  # seconds before connecting again
PATIENCE = 90  # seconds for all messages to arrive


class Client(threading.Thread):
    """Does its work on a connection, and again on another one when that is lost, until all is done.

    losses: the errors by which connections were lost, and those of connecting in vain.
    """

    def __init__(self, broker: Broker) -> None:
        super().__init__(daemon=True)
        self.losses: list[Exception] = []
        self.is_over = threading.Event()
        self._broker = broker

    def run(self) -> None:
        while not self.is_over.is_set():
            try:
                with pika.BlockingConnection(self._broker.parameters(HEARTBEAT)) as connection:
                    self.work(connection.channel())
            except (pika.exceptions.AMQPError, OSError, ValueError) as error:  # pika raises these of a reset
                self.losses.append(error)
                time.sleep(PAUSE)

    def work(self, channel: Any) -> None:
        raise NotImplementedError


class Publisher(Client):
    """Sends each message until it is confirmed: so often that it may be there more than once."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.confirmed: list[int] = []

    def work(self, channel: Any) -> None:
        channel.confirm_delivery()
        kept = pika.BasicProperties(delivery_mode=2)
        while len(self.confirmed) < MESSAGES:
            number = len(self.confirmed)
            channel.basic_publish("", QUEUE, b"%d " % number + bytes(1000), kept, mandatory=True)
            self.confirmed.append(number)
        self.is_over.set()


class Consumer(Client):
    """Takes messages out of the queue. What was not acknowledged comes again."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.got: list[int] = []

    def work(self, channel: Any) -> None:
        channel.basic_qos(prefetch_count=10)
        for method, _, body in channel.consume(QUEUE, inactivity_timeout=0.1):
            if self.is_over.is_set():
                return
            if method is not None:
                self.got.append(int(body.split()[0]))
                channel.basic_ack(method.delivery_tag)


@pytest.fixture
def queue(broker: Broker) -> Iterator[None]:
    """The queue is there, and durable. Faults go at the end."""
    with pika.BlockingConnection(broker.parameters()) as connection:
        connection.channel().queue_declare(QUEUE, durable=True)
    yield
    broker.faults("reset")
    with pika.BlockingConnection(broker.parameters()) as connection:
        connection.channel().queue_delete(QUEUE)


def wait_until(condition: Callable[[], bool], what: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def lose_clients(broker: Broker, fault: str, *how: str) -> tuple[Publisher, Consumer]:
    """Both clients at work, with a fault when a part of the messages is through."""
    publisher, consumer = Publisher(broker), Consumer(broker)
    publisher.start()
    consumer.start()
    wait_until(lambda: len(publisher.confirmed) > 20 and len(consumer.got) > 20, "the first messages")
    broker.faults("add", fault, "--local-port", str(broker.port), *how)
    wait_until(publisher.is_over.is_set, publisher.losses)
    wait_until(lambda: set(consumer.got) >= set(publisher.confirmed), consumer.losses)
    consumer.is_over.set()
    publisher.join(PATIENCE)
    consumer.join(PATIENCE)
    return publisher, consumer


def connections(broker: Broker) -> list[str]:
    """The states of all connections."""
    return broker.control("list_connections", "state").split()[1:]


def assert_well(broker: Broker) -> None:
    """The broker serves new clients, has none of the old ones, and nothing in it has crashed.

    It needs heartbeats to know. Its sockets have {exit_on_close, false}, and with that OTP's ssl forgets the
    end of a connection that comes while it has data. A "closing" one waits 30 s for the client's consent.
    """
    wait_until(lambda: "running" not in connections(broker), "connections of old clients")
    with pika.BlockingConnection(broker.parameters()) as connection:
        assert connection.channel().queue_declare(QUEUE, durable=True).method.message_count == 0
    assert "crasher" not in broker.text()


# A fault, for how many connections, and more arguments of `inetpy faults add`.
SCENES: dict[str, tuple[str, int | None, list[str]]] = {
    "reset": ("reset(after_bytes=30000)", 5, []),
    "reset by what the broker sends": ("reset(after_bytes=2000)", 4, ["--direction", "send"]),
    "closed": ("limit(30000)", 5, []),
    "down for two seconds": ("down", None, ["--for-ms", "2000"]),
    "silent in the middle": ('limit(30000, then="blackhole")', 2, []),
    "silent at once": ("blackhole", 2, []),
    "forgotten": ("half_open", 2, []),
}


@pytest.mark.parametrize("scene", SCENES)
def test_connections_are_lost(scene: str, broker: Broker, queue: None) -> None:
    fault, number, how = SCENES[scene]
    if number is not None:
        number += len(connections(broker))  # these count first
        how = [*how, "--when", f"first({number})"]
    publisher, consumer = lose_clients(broker, fault, *how)
    assert publisher.confirmed == list(range(MESSAGES))
    assert publisher.losses or consumer.losses
    assert set(consumer.got) == set(publisher.confirmed)  # out of order: what a lost consumer had comes again
    assert_well(broker)


def test_from_erlang(broker: Broker, queue: None) -> None:
    """A rule by rabbitmqctl: the broker breaks its own connections."""
    rule = f"inetpy_fault:add(#{{local_port => {broker.port}, role => accepted}}, {{reset, #{{}}}})"
    with pika.BlockingConnection(broker.parameters()) as connection:
        channel = connection.channel()
        assert broker.control("eval", f"{{ok, _}} = {rule}, broken.") == "broken"
        with pytest.raises(pika.exceptions.AMQPError):
            channel.queue_declare(QUEUE, passive=True)
    assert broker.control("eval", "inetpy_fault:reset().") == "ok"
    assert_well(broker)
