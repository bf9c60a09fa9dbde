"""A broker of RabbitMQ on Python sockets, whose clients use pika.

The connections use TLS. RabbitMQ 3.10 checks plain sockets with is_port/1 (rabbit_net), so it refuses
ours, and also those of OTP's `socket` backend. TLS sockets it passes to ssl, which uses ours.
"""

from __future__ import annotations

import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pika = pytest.importorskip("pika")

CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"


@dataclass
class Broker:
    """A broker that runs. `environment` is that of commands that speak to it."""

    port: int
    certificate: Path
    environment: dict[str, str]
    log: Path

    def parameters(self, heartbeat: int = 0) -> Any:
        """heartbeat: seconds; 0 is none."""
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        options = pika.SSLOptions(trusted, "localhost")
        return pika.ConnectionParameters(
            "127.0.0.1",
            self.port,
            ssl_options=options,
            heartbeat=heartbeat,
            socket_timeout=5,
            stack_timeout=5,
            blocked_connection_timeout=20,
        )

    def text(self) -> str:
        """All that the broker has logged."""
        return "".join(file.read_text() for file in sorted(self.log.glob("*.log")))

    def faults(self, *arguments: str) -> str:
        """What `inetpy faults` prints."""
        return self._run(sys.executable, "-m", "inetpy", "faults", *arguments)

    def control(self, *arguments: str) -> str:
        """What rabbitmqctl prints."""
        return self._run(CONTROL, "--quiet", *arguments)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self.environment, check=False, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()
