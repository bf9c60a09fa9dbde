"""The test in docs/replay.md runs: once with a real server, and then without."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator

import pytest
from project import Project

from conftest import TOP

pytest_plugins = ["of_project"]

PAGE = (TOP / "docs" / "replay.md").read_text()


@pytest.fixture
def port() -> Iterator[int]:
    """A server that answers each request, and a port that is free afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nsunny")

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_cassette(project: Project, port: int) -> None:
    (text,) = [
        block
        for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
        if block.startswith("# test_weather.py")
    ]
    project.write("test_weather.py", text.replace("8089", str(port)))
    assert project.run().outcomes() == {"passed": 1}
    recorded = (project.folder / "cassettes/test_weather/test_weather.jsonl").read_text()
    (shown,) = re.findall(r'^```\n(\{"event".*?)^```$', PAGE, re.DOTALL | re.MULTILINE)
    lines = [json.loads(line) for line in recorded.replace(str(port), "8089").splitlines()]
    assert lines[:2] == [json.loads(line) for line in shown.splitlines()]
    assert "secret" not in recorded
    project.write("test_weather.py", text.replace("8089", str(port)).replace("secret", "another"))
    assert project.run("--inetpy-cassette=none").outcomes() == {"passed": 1}
