"""Cassettes: recorded with a real server once, and replayed when it is gone."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from project import Project

pytest_plugins = ["of_project"]


class Server:
    """A real server of lines: what is sent to it comes back in capitals, with a secret of its own."""

    def __init__(self) -> None:
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, connection.makefile("rwb") as file:
                for line in file:
                    file.write(line.upper() + b"token=abc\n")
                    file.flush()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()


CLIENT = """
ASK = '''
    {ok, S} = gen_tcp:connect("127.0.0.1", Port, [binary, {packet, line}, {active, false}]),
    ok = gen_tcp:send(S, [Text, "\\\\n"]),
    {ok, Answer} = gen_tcp:recv(S, 0),
    {ok, Token} = gen_tcp:recv(S, 0),
    ok = gen_tcp:close(S),
    {Answer, Token}.
'''

def ask(erlang, text, port):
    return erlang.eval(ASK, Text=text, Port=port)
"""

TEST = """
import pytest
from client import ask

@pytest.mark.inetpy_cassette({words})
def test_it(erlang):
    assert ask(erlang, b"{text}", {port}) == (b"{answer}\\n", b"{token}\\n")
"""


def write(project: Project, port: int, words: str = "", text: str = "hello", **more: str) -> Path:
    """The test, and where its cassette is to be."""
    project.write("client.py", CLIENT)
    values = {"answer": text.upper(), "token": "token=abc"} | more
    project.write("test_it.py", TEST.format(words=words, text=text, port=port, **values))
    return project.folder / "cassettes" / "test_it" / "test_it.jsonl"


def test_recorded_once_and_replayed(project: Project) -> None:
    with serving() as server:
        cassette = write(project, server.port)
        first = project.run()
        assert first.outcomes() == {"passed": 1}
        assert f"recorded {cassette}" in first.output
    recorded = cassette.read_text()
    lines = [json.loads(line) for line in recorded.splitlines()]
    label = f"127.0.0.1:{server.port}"
    socket_of = {"node": "", "socket": 1, "kind": "stream", "label": label}
    assert lines == [
        {"event": "socket", **socket_of, "what": "connected", "detail": ""},
        {"event": "bytes", **socket_of, "direction": "send", "offset": 0, "data": {"text": "hello\n"}},
        {"event": "bytes", **socket_of, "direction": "recv", "offset": 0,
         "data": {"text": "HELLO\ntoken=abc\n"}},
        {"event": "socket", **socket_of, "what": "closed", "detail": "fin"},
    ]  # fmt: skip
    for mode in ("once", "none"):
        assert project.run(f"--inetpy-cassette={mode}").outcomes() == {"passed": 1}
    assert server.connections == 1
    assert cassette.read_text() == recorded


def test_recordings_are_equal(project: Project) -> None:
    with serving() as server:
        cassette = write(project, server.port)
        texts = set()
        for _ in range(2):
            assert project.run("--inetpy-cassette=rewrite").outcomes() == {"passed": 1}
            texts.add(cassette.read_text())
        assert server.connections == 2
    assert len(texts) == 1


def test_none_needs_a_cassette(project: Project) -> None:
    cassette = write(project, 1)
    run = project.run("--inetpy-cassette=none")
    assert run.outcomes() == {"error": 1}
    assert f"there is no cassette {cassette}" in run.output
    assert not cassette.exists()


def test_a_mismatch_fails_the_test(project: Project) -> None:
    with serving() as server:
        write(project, server.port)
        project.run()
    write(project, server.port, text="help!")
    run = project.run()
    assert run.outcomes()["failed"] == 1
    assert "byte 3 of the client is not as recorded" in run.output
    assert "68 65 6c 70 21 0a" in run.output


def test_what_is_missing_fails_the_test(project: Project) -> None:
    with serving() as server:
        write(project, server.port)
        project.run()
    project.write(
        "test_it.py", "import pytest\n@pytest.mark.inetpy_cassette\ndef test_it(erlang):\n    pass\n"
    )
    run = project.run()
    assert f"connection 1 with 127.0.0.1:{server.port}: it has never come" in run.output
    assert run.status == 1


def test_what_is_missing_of_a_replay_fails_the_test(project: Project) -> None:
    """Also without a cassette, and with the fixture of the network alone."""
    with serving() as server:
        write(project, server.port)
        project.run()
    project.write(
        "test_it.py",
        "def test_it(network):\n    network.replay('cassettes/test_it/test_it.jsonl')\n"
        "def test_next(network):\n    assert not network.engine.places.sealed\n",
    )
    run = project.run()
    assert f"connection 1 with 127.0.0.1:{server.port}: it has never come" in run.output
    assert "1 error" in run.output
    assert "2 passed" in run.output


def test_a_test_that_fails_leaves_no_cassette(project: Project) -> None:
    """One that was there is as before."""
    with serving() as server:
        cassette = write(project, server.port, answer="GOODBYE")
        assert project.run().outcomes() == {"failed": 1}
        assert not cassette.parent.exists()
        write(project, server.port)
        project.run()
        before = cassette.read_text()
        write(project, server.port, text="other", answer="GOODBYE")
        assert project.run("--inetpy-cassette=rewrite").outcomes() == {"failed": 1}
        assert cassette.read_text() == before
        assert [file.name for file in cassette.parent.iterdir()] == ["test_it.jsonl"]


def test_a_secret_is_not_in_the_cassette(project: Project) -> None:
    """The client may have another one the next time, of another length; the server's is sent as stars."""
    words = r'redact=[rb"password=(\w+)", rb"token=(\w+)"]'
    with serving() as server:
        cassette = write(project, server.port, words, text="password=hunter2 x")
        assert project.run().outcomes() == {"passed": 1}
    recorded = cassette.read_text()
    assert "hunter2" not in recorded
    assert "abc" not in recorded
    write(
        project, server.port, words, text="password=other x", answer="PASSWORD=HUNTER2 X", token="token=***"
    )
    run = project.run()
    assert run.outcomes() == {"passed": 1}
    assert "1 part that the recording has hidden are sent as stars" in run.output


def test_each_test_has_its_own(project: Project) -> None:
    """Also where a run is on several processes."""
    with serving() as server:
        project.write("client.py", CLIENT)
        project.write(
            "test_many.py",
            "import pytest\nfrom client import ask\n"
            "@pytest.mark.inetpy_cassette\n"
            "class TestAll:\n"
            '    @pytest.mark.parametrize("text", [b"a/b", b"a-b", b"c"])\n'
            "    def test_it(self, erlang, text):\n"
            f'        assert ask(erlang, text, {server.port})[0] == text.upper() + b"\\n"\n'
            "    def test_silent(self, network, cassette):\n"
            "        assert cassette.is_recording or network.engine.places.sealed\n",
        )
        assert project.run("-n2").outcomes() == {"passed": 4}
        files = sorted(file.name for file in (project.folder / "cassettes" / "test_many").iterdir())
        assert len(files) == 4
        assert files[-1] == "TestAll.test_silent.jsonl"
    assert project.run("-n2", "--inetpy-cassette=none").outcomes() == {"passed": 4}
    assert server.connections == 3


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("matches='exact'", "a cassette has no 'matches': it has name, mode, redact"),
        ("mode='twice'", "the mode of a cassette is once, none or rewrite, not 'twice'"),
        ("name=3", "the name of a cassette is text, not 3"),
        ("'weather'", "inetpy_cassette takes words: name='weather'"),
        ("match='fuzzy'", "match is exact, prefix, length, regex"),
        ("chunks='tiny'", "chunks are recorded, one_byte"),
        ("speed=-1", "speed is a number above 0, not -1"),
        ("redact='authorization'", "redact takes a list of words, not 'authorization'"),
    ],
)
def test_wrong_words(project: Project, words: str, text: str) -> None:
    write(project, 1, words)
    run = project.run()
    assert run.status == 1
    assert text in run.output
    assert "During handling" not in run.output
    assert not (project.folder / "cassettes").exists()


def test_a_cassette_that_cannot_be_written(project: Project) -> None:
    """The test fails, without the stack of what failed in inetpy."""
    with serving() as server:
        write(project, server.port)
        project.write("cassettes", "a file is in the way")
        run = project.run()
    assert run.outcomes() == {"passed": 1, "error": 1}
    assert "the cassette is not written: " in run.output
    assert "cassette.py" not in run.output


@pytest.mark.parametrize("damage", ["folder", "depth"])
def test_a_cassette_that_cannot_be_read(project: Project, damage: str) -> None:
    cassette = write(project, 1)
    if damage == "folder":
        cassette.mkdir(parents=True)
    else:
        project.write(str(cassette.relative_to(project.folder)), "[" * 100_000)
    run = project.run()
    assert run.outcomes() == {"error": 1}
    assert f"the cassette {cassette}: " in run.output
    assert "During handling" not in run.output


def test_a_broken_cassette(project: Project) -> None:
    cassette = write(project, 1)
    project.write(str(cassette.relative_to(project.folder)), "<<<<<<< ours\n")
    run = project.run()
    assert f"{cassette}: line 1 is no event of a trace" in run.output
    assert "With --inetpy-cassette=rewrite it is recorded again." in run.output


def test_a_cassette_that_is_cut_short(project: Project) -> None:
    """The test fails at its beginning, and not where the rest is missing."""
    with serving() as server:
        cassette = write(project, server.port)
        assert project.run().outcomes() == {"passed": 1}
    whole = cassette.read_bytes()
    cassette.write_bytes(whole[:-10])
    run = project.run()
    assert run.outcomes() == {"error": 1}
    assert f"the cassette {cassette} is cut short" in run.output
    assert "With --inetpy-cassette=rewrite it is recorded again." in run.output
    cassette.write_bytes(whole.rstrip())
    assert project.run().outcomes() == {"passed": 1}


def test_a_marker_without_a_network(project: Project) -> None:
    project.write("test_it.py", "import pytest\n@pytest.mark.inetpy_cassette\ndef test_it():\n    pass\n")
    run = project.run()
    assert run.status == 1
    assert "a test with inetpy_cassette needs the fixture erlang or network" in run.output


OWN = """
import pytest
from client import ask

OWN = '{ok, S} = gen_tcp:connect("own.test", 80, [binary, {active, false}]), gen_tcp:recv(S, 0).'

@pytest.mark.inetpy_cassette
def test_it(erlang, network):
    network.static("own.test", 80, b"own")
    assert erlang.eval(OWN)[1] == b"own"
    assert ask(erlang, b"x", %d)[0] == b"X\\n"
"""


def test_servers_of_the_test_are_not_recorded(project: Project) -> None:
    """They are in the test, and they are there when it is replayed."""
    with serving() as server:
        project.write("client.py", CLIENT)
        project.write("test_it.py", OWN % server.port)
        for mode in ("once", "none"):
            assert project.run(f"--inetpy-cassette={mode}").outcomes() == {"passed": 1}
    assert "own" not in (project.folder / "cassettes" / "test_it" / "test_it.jsonl").read_text()
