"""What users write for a server of nodes: URLs, tokens and limits."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import TOP
from inetpy.links import limits, tokens, urls
from inetpy.links.limits import Limits

TOKEN = b"0123456789abcdef"


@pytest.fixture
def folder() -> Iterator[Path]:
    """The path of a unix socket must be short; pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="inetpy-test-") as name:
        yield Path(name)


# --- a unix socket -----------------------------------------------------------------


def test_mode_of_a_unix_socket(folder: Path) -> None:
    """Nobody else connects, where nothing is said."""
    for query, mode in (("", 0o600), ("?mode=660", 0o660)):
        listening = urls.parse_url(f"unix:{folder}/bridge{query}").listen()
        assert stat.S_IMODE((folder / "bridge").stat().st_mode) == mode
        listening.close()
        assert not (folder / "bridge").exists()


def test_group_of_a_unix_socket(folder: Path) -> None:
    listening = urls.parse_url(f"unix:{folder}/bridge?group={os.getegid()}").listen()
    assert (folder / "bridge").stat().st_gid == os.getegid()
    listening.close()
    with pytest.raises(ValueError, match="no group nobody-has-this"):
        urls.parse_url(f"unix:{folder}/bridge?group=nobody-has-this").listen()
    assert not (folder / "bridge").exists()


@pytest.mark.parametrize("group", ["-1", "99999999999999999999"])
def test_numbers_that_are_no_group(folder: Path, group: str) -> None:
    with pytest.raises(ValueError, match="there is no group"):
        urls.parse_url(f"unix:{folder}/bridge?group={group}").listen()
    assert list(folder.iterdir()) == []


def test_the_mode_is_of_the_socket_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write to the folder could put a link to another file there."""
    (folder / "secret").touch(0o600)

    def swapped(sock: socket.socket, path: str) -> None:
        sock.bind(path)
        os.unlink(path)
        os.symlink(folder / "secret", path)

    monkeypatch.setattr(urls, "_bind", swapped)
    with pytest.raises(OSError, match="put a file there"):
        urls.parse_url(f"unix:{folder}/bridge?mode=666").listen()
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600


def test_a_folder_that_somebody_has_locked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody can lock /tmp, and would keep all servers from it."""
    monkeypatch.setattr(urls, "TRIES", 2)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        urls.parse_url(f"unix:{folder}/bridge").listen().close()
    finally:
        os.close(descriptor)


def test_a_path_that_another_process_serves(folder: Path) -> None:
    """It stays with that. After its end, also one that has left the path behind, another can have it."""
    address = urls.parse_url(f"unix:{folder}/bridge")
    first = address.listen()
    with pytest.raises(OSError, match="another process serves there"):
        address.listen()
    first.socket.close()  # as kill -9 does
    second = address.listen()
    first.close()
    assert (folder / "bridge").exists()  # that of the second
    second.close()
    (folder / "bridge").write_text("a file")
    with pytest.raises(OSError, match="the path is no socket"):
        address.listen()
    assert (folder / "bridge").read_text() == "a file"


@pytest.mark.parametrize("_again", range(20))
def test_servers_that_begin_at_the_same_time(folder: Path, _again: int) -> None:
    """One of them gets the path, and the others are told."""
    barrier = threading.Barrier(8)
    listening: list[urls.Listening] = []
    refused: list[OSError] = []

    def begin() -> None:
        barrier.wait()
        try:
            listening.append(urls.parse_url(f"unix:{folder}/bridge").listen())
        except OSError as error:
            refused.append(error)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listening) == 1
    assert {error.errno for error in refused} == {errno.EADDRINUSE}
    with socket.socket(socket.AF_UNIX) as node:
        node.connect(f"{folder}/bridge")
    listening[0].close()


# --- what users write ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "nodes are served at unix:/path"),
        ("/run/bridge", "nodes are served at"),
        ("unix:", "nodes are served at"),
        ("tcp:7000", "nodes are served at"),
        ("tcp:host:70000", "nodes are served at"),
        ("udp:host:7000", "nodes are served at"),
        ("unix:/b?mode=999", "a mode is written as 660"),
        ("unix:/b?cert=x", "unix: has no option 'cert'; there are mode, group"),
        ("tcp:h:1?mode=660", "tcp: has no option 'mode'; there are none"),
        ("tls:h:1", "tls: needs a certificate"),
        ("tls:h:1?cert=", "has no value"),
    ],
)
def test_wrong_urls(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        urls.parse_url(url)


def test_who_needs_a_token() -> None:
    needs = {
        url: urls.parse_url(url).needs_token
        for url in ("unix:/b", "tcp:127.0.0.1:1", "tls:h:1?cert=a", "tls:h:1?cert=a&ca=b")
    }
    assert list(needs.values()) == [False, True, True, False]


def test_tokens(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\n  " + TOKEN + b"  \n" + TOKEN[::-1] + b"\n")
    assert tokens.read_tokens(file, {b"INETPY_TOKEN": b"x" * 16}) == [TOKEN, TOKEN[::-1], b"x" * 16]
    admits = tokens.admit([TOKEN, TOKEN[::-1]])
    assert [admits(token) for token in (TOKEN, TOKEN[::-1], b"", TOKEN + b"0")] == ["", "", None, None]
    assert tokens.admit([])(b"") == ""
    for content, why in ((b"", "has no token"), (b"short", "16 bytes or more")):
        file.write_bytes(content)
        with pytest.raises(tokens.TokenError, match=why):
            tokens.read_tokens(file, {})
    with pytest.raises(tokens.TokenError, match="cannot be read"):
        tokens.read_tokens(tmp_path / "none", {})


def test_limits() -> None:
    assert limits.parse_limits(["nodes=7", "patience=0.5"]) == Limits(nodes=7, patience=0.5)
    assert set(limits.MEANINGS) == set(Limits._fields)
    for text, why in (("nods=7", "there is no limit 'nods'"), ("nodes=0", "above 0"), ("nodes=x", "above 0")):
        with pytest.raises(ValueError, match=why):
            limits.parse_limits([text])


# --- the page ---------------------------------------------------------------------------


def test_tables_of_the_page() -> None:
    page = (TOP / "docs" / "serve.md").read_text()
    rows = [
        f"`{urls.FORMS[kind]}` | `{name}` | {value} | {text}"
        for name, (kind, value, text) in urls.OPTIONS.items()
    ]
    defaults = Limits()._asdict()
    rows += [f"`{name}` | {defaults[name]:.0f} | {text}" for name, text in limits.MEANINGS.items()]
    tables = [line.strip("| ") for line in page.splitlines() if line.startswith("| `")]
    assert tables == rows
