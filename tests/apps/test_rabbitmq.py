"""RabbitMQ, unmodified, on Python sockets: see rabbitmq_broker.py. Run by `make test-apps`."""

from __future__ import annotations

import pytest
from program import assert_listens_in_python
from rabbitmq_broker import Broker

pika = pytest.importorskip("pika")
pytest_plugins = ["rabbitmq_fixtures"]

MESSAGES = 10_000


def test_listens_in_python(broker: Broker) -> None:
    assert_listens_in_python(broker.port)


def test_publish_and_consume(broker: Broker) -> None:
    """Ten thousand messages with confirms: each is delivered once, in order."""
    with pika.BlockingConnection(broker.parameters()) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        queue = channel.queue_declare("", exclusive=True).method.queue
        bodies = [f"{number}:".encode() + bytes(number % 700) for number in range(MESSAGES)]
        for body in bodies:
            channel.basic_publish("", queue, body, mandatory=True)  # raises if the message is not confirmed
        consumed: list[bytes] = []
        for method, _, body in channel.consume(queue, inactivity_timeout=20):
            assert method is not None, f"{len(consumed)} came"
            consumed.append(body)
            channel.basic_ack(method.delivery_tag)
            if len(consumed) == MESSAGES:
                break
        assert consumed == bodies


def test_many_connections(broker: Broker) -> None:
    """Twenty connections one after another, and fifty at the same time."""
    parameters = broker.parameters()
    for _ in range(20):
        pika.BlockingConnection(parameters).close()
    connections = [pika.BlockingConnection(parameters) for _ in range(50)]
    for connection in connections:
        connection.channel().queue_declare("", exclusive=True)
        connection.close()
