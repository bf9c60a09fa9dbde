"""The broker of the tests of RabbitMQ."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from program import free_port, make_certificate, running
from rabbitmq_broker import Broker

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of our own, with its epmd, files and ports."""
    if not SERVER.exists():
        pytest.skip("RabbitMQ is not installed")
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
    with running(folder, port, [str(SERVER)], variables) as environment:
        yield Broker(port, certificate, environment, folder / "log")
