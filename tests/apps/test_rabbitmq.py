"""RabbitMQ, unmodified, on Python sockets; the client is pika. Run by `make test-apps`.

The connections use TLS. RabbitMQ 3.10 checks plain sockets with is_port/1 (rabbit_net), so it refuses
ours, and also those of OTP's `socket` backend. TLS sockets it passes to ssl, which uses ours.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from program import assert_listens_in_python, free_port, make_certificate, running

pika = pytest.importorskip("pika")

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
MESSAGES = 10_000

pytestmark = pytest.mark.skipif(not SERVER.exists(), reason="RabbitMQ is not installed")


@dataclass
class Broker:
    port: int
    certificate: Path

    def parameters(self) -> object:
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        options = pika.SSLOptions(trusted, "localhost")
        return pika.ConnectionParameters("127.0.0.1", self.port, ssl_options=options, heartbeat=0)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of our own, with its epmd, files and ports."""
    folder = tmp_path_factory.mktemp("rabbitmq")
    port, distribution = free_port(), free_port()
    key, certificate = make_certificate(folder)
    (folder / "rabbit.conf").write_text(
        f"listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{port}\n"
        f"ssl_options.cacertfile = {certificate}\nssl_options.certfile = {certificate}\n"
        f"ssl_options.keyfile = {key}\nssl_options.verify = verify_none\n"
    )
    (folder / "plugins").write_text("[].\n")
    variables = {
        "RABBITMQ_NODENAME": f"inetpy{os.getpid()}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbit"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
    }
    with running(folder, port, [str(SERVER)], variables):
        yield Broker(port, certificate)


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
