"""RabbitMQ, unmodified, on Python sockets; the client is pika. Run by `make test-apps`.

Over TLS: RabbitMQ 3.10 matches plain sockets with is_port/1 (rabbit_net), and takes none that is
no port, OTP's own `socket` backend's neither. Those of ssl it hands to ssl, whose transport is ours.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pika = pytest.importorskip("pika")

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
MESSAGES = 10_000

pytestmark = pytest.mark.skipif(not SERVER.exists(), reason="RabbitMQ is not installed")


@dataclass
class Broker:
    port: int
    log: Path
    certificate: Path

    def parameters(self) -> object:
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        options = pika.SSLOptions(trusted, "localhost")
        return pika.ConnectionParameters("127.0.0.1", self.port, ssl_options=options, heartbeat=0)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """(key, certificate) for localhost."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of our own, with its epmd, files and ports."""
    folder = tmp_path_factory.mktemp("rabbitmq")
    port, distribution, epmd = free_port(), free_port(), free_port()
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
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_RELAXED_COMMAND_CHECK": "true",  # so that we can end it
        "HOME": str(folder),
    }
    log = folder / "output"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "inetpy", "run", "--", str(SERVER)],
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for_port(port, process, log)
            yield Broker(port, log, certificate)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            subprocess.run(["epmd", "-port", str(epmd), "-kill"], check=False, capture_output=True)


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(log.read_text())


def holders(port: int) -> set[str]:
    """The programs that have the listening socket of a port among their descriptors."""
    suffix = f":{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(suffix) and line[3] == "0A"}
    found = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(descriptor) in inodes:
                found.add(os.readlink(descriptor.parent.parent / "exe"))
        except OSError:
            continue  # it has ended meanwhile
    return found


def test_listens_in_python(broker: Broker) -> None:
    assert {Path(program).name for program in holders(broker.port)} == {Path(sys.executable).resolve().name}


def test_publish_and_consume(broker: Broker) -> None:
    """Ten thousand messages with confirms, and each comes back once, in order."""
    with pika.BlockingConnection(broker.parameters()) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        queue = channel.queue_declare("", exclusive=True).method.queue
        bodies = [f"{number}:".encode() + bytes(number % 700) for number in range(MESSAGES)]
        for body in bodies:
            channel.basic_publish("", queue, body, mandatory=True)  # raises unless it is confirmed
        consumed = []
        for method, _, body in channel.consume(queue, inactivity_timeout=20):
            assert method is not None, f"{len(consumed)} came"
            consumed.append(body)
            channel.basic_ack(method.delivery_tag)
            if len(consumed) == MESSAGES:
                break
        assert consumed == bodies


def test_many_connections(broker: Broker) -> None:
    """Connections one after another, and some at once."""
    parameters = broker.parameters()
    for _ in range(20):
        pika.BlockingConnection(parameters).close()
    connections = [pika.BlockingConnection(parameters) for _ in range(50)]
    for connection in connections:
        connection.channel().queue_declare("", exclusive=True)
        connection.close()
