"""Who is let in to a Python that serves nodes: tokens and TLS."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import ECHO, PAIR, PING, TOKEN, Authority, Erlang, Serve, error_of, until


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with tempfile.TemporaryDirectory(prefix="inetpy-test-") as name:
        yield Authority(Path(name))


def test_tokens(tmp_path: Path) -> None:
    """In a variable, in a file, in the URL. A wrong one is refused, and the node goes on trying."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    with Serve("tcp:[::1]:0", "--token-file", f"{tmp_path}/token") as serve:
        for url, environ in (
            (serve.url, {"INETPY_TOKEN": TOKEN}),
            (serve.url, {"INETPY_TOKEN_FILE": f"{tmp_path}/token"}),
            (f"{serve.url}?token_file={tmp_path}/token", {}),
        ):
            with Erlang(url, **environ) as node:
                node.start()
                node.eval(PAIR)
                assert node.eval(ECHO) == PING
        with Erlang(serve.url, INETPY_TOKEN="wrong") as node:
            assert "the token is not the right one" in node.eval("inetpy:start()")
            assert node.eval("application:start(inetpy)") == "ok"
            assert "the token is not the right one" in error_of(node)
            assert "was refused: the token is not the right one" in serve.log
        with Erlang(f"{serve.url}?token_file={tmp_path}/none") as node:
            node.start()
            assert "the token cannot be read from" in error_of(node)
        assert TOKEN not in serve.log
        assert serve.log.count("has come") == 3


def test_tokens_that_are_no_text(tmp_path: Path) -> None:
    """Both sides take the same bytes, in a file and in a variable, whatever the encoding of names is."""
    (tmp_path / "token").write_bytes(b"\xff\xfe\xc3(" + TOKEN.encode() + b"\xa0\r\n")
    with Serve(
        "tcp:127.0.0.1:0", "--token-file", f"{tmp_path}/token", INETPY_TOKEN=f"t\xf6ken{TOKEN}"
    ) as serve:
        for query, environ in (
            (f"?token_file={tmp_path}/token", {}),
            ("", {"INETPY_TOKEN": f"t\xf6ken{TOKEN}", "LC_ALL": "C"}),
            ("", {"INETPY_TOKEN": f" t\xf6ken{TOKEN} ", "LC_ALL": "C.UTF-8"}),
        ):
            with Erlang(serve.url + query, **environ) as node:
                node.start()
                node.eval(PAIR)
                assert node.eval(ECHO) == PING


def test_silence_after_the_handshake(authority: Authority) -> None:
    """Such a stranger is gone for the server, also when it does not end TLS."""
    certificate, key = authority.sign("silent", "IP:127.0.0.1")
    url = f"tls:127.0.0.1:0?cert={certificate}&key={key}"
    context = ssl.create_default_context(cafile=authority.certificate)
    with Serve(url, "--limit", "patience=0.2", INETPY_TOKEN=TOKEN) as serve:
        descriptors = Path(f"/proc/{serve.process.pid}/fd")
        port = int(serve.url.rpartition(":")[2])

        def comes() -> ssl.SSLSocket:
            return context.wrap_socket(
                socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1"
            )

        with comes() as first:  # for what the server loads with the first
            assert first.recv(1) == b""
        until(lambda: "has not said who it is" in serve.log)
        before = len(list(descriptors.iterdir()))
        strangers = [comes() for _ in range(5)]
        assert len(list(descriptors.iterdir())) > before
        started = time.monotonic()
        until(lambda: len(list(descriptors.iterdir())) <= before)
        assert time.monotonic() - started < 10
        for stranger in strangers:
            stranger.close()


@pytest.mark.parametrize(
    "arguments", [["tcp:127.0.0.1:0"], ["unix:/nonexistent/b", "tls:127.0.0.1:0?cert=x"]]
)
def test_nothing_is_served_to_everybody(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "inetpy", "serve", *arguments],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert not done.stdout
    assert "needs a token or mutual TLS" in done.stderr
    assert "--token-file" in done.stderr


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_tls(authority: Authority, loop: str) -> None:
    """OTP's ssl on the node's own sockets goes on beside the link, which is TLS itself."""
    cert, key = authority.sign("server", "DNS:localhost,IP:127.0.0.1")
    ca = authority.certificate
    with Serve(f"tls:127.0.0.1:0?cert={cert}&key={key}", INETPY_TOKEN=TOKEN, INETPY_LOOP=loop) as serve:
        port = serve.url.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost"):
            with Erlang(f"tls:{host}:{port}?ca={ca}", INETPY_TOKEN=TOKEN) as node:
                node.start()
                node.eval(PAIR)
                assert node.eval(ECHO) == PING
                large = (
                    "Data = rand:bytes(5000000), spawn(fun() -> gen_tcp:send(C, Data) end), "
                    "{ok, Data} =:= gen_tcp:recv(S, 5000000, 20000)"
                )
                assert node.eval(large) == "true"
                over = f"""
                    {{ok, TL}} =
                        ssl:listen(0, [{{certfile, "{cert}"}}, {{keyfile, "{key}"}}, {{active, false}}]),
                    {{ok, {{_, TP}}}} = ssl:sockname(TL),
                    spawn(fun() -> {{ok, T}} = ssl:transport_accept(TL), {{ok, H}} = ssl:handshake(T),
                        ok = ssl:send(H, "over TLS"), timer:sleep(5000) end),
                    {{ok, TC}} = ssl:connect("localhost", TP,
                        [{{cacertfile, "{ca}"}}, {{verify, verify_peer}}, {{active, false}}]),
                    ssl:recv(TC, 0, 5000)
                """
                assert node.eval(over) == '{ok,"over TLS"}'
                stock = (
                    '[Port || Port <- erlang:ports(), erlang:port_info(Port, name) =:= {name, "tcp_inet"}]'
                )
                assert node.eval(f"length({stock})") == "1"  # the link


def test_tls_to_a_wrong_name(authority: Authority) -> None:
    cert, key = authority.sign("other", "DNS:other.example,IP:127.0.0.9")
    with Serve(f"tls:127.0.0.1:0?cert={cert}&key={key}", INETPY_TOKEN=TOKEN) as serve:
        port = serve.url.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost"):
            with Erlang(f"tls:{host}:{port}?ca={authority.certificate}", INETPY_TOKEN=TOKEN) as node:
                node.start()
                assert "certificate" in error_of(node) or "hostname" in error_of(node)
        with Erlang(f"tls:127.0.0.1:{port}", INETPY_TOKEN=TOKEN) as node:  # no authority of the system
            node.start()
            assert "nknown CA" in error_of(node) or "unknown_ca" in error_of(node) or "ca=" in error_of(node)
        assert "has come" not in serve.log


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_mutual_tls(authority: Authority, loop: str) -> None:
    """A node shows a certificate, and then needs no token."""
    cert, key = authority.sign("server", "DNS:localhost,IP:127.0.0.1")
    ca = authority.certificate
    node_cert, node_key = authority.sign("node", "DNS:node.example")
    with Serve(f"tls:127.0.0.1:0?cert={cert}&key={key}&ca={ca}", INETPY_LOOP=loop) as serve:
        with Erlang(f"{serve.url}?ca={ca}&cert={node_cert}&key={node_key}") as node:
            node.start()
            node.eval(PAIR)
            assert node.eval(ECHO) == PING
        with Erlang(f"{serve.url}?ca={ca}") as node:
            node.start()
            assert "closed before the greeting. The log" in error_of(node)
            serve.line("was refused: TLS: peer did not return a certificate")
        assert serve.log.count("has come") == 1


def test_a_node_without_ssl(authority: Authority) -> None:
    with Erlang(f"tls:127.0.0.1:1?ca={authority.certificate}") as node:
        node.eval("[code:del_path(A) || A <- [ssl]]")
        assert node.eval("code:which(ssl)") == "non_existing"
        with Serve("tcp:127.0.0.1:0", INETPY_TOKEN=TOKEN) as serve:
            url = serve.url.replace("tcp:", "tls:")
            assert node.eval(f'inetpy:start(#{{bridges => ["{url}"]}})') == "ok"
            assert "this node has no application ssl" in error_of(node)
