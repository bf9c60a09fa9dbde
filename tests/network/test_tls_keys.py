"""tshark opens the bytes of TLS with the keys that a capture has."""

from __future__ import annotations

import http.server
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])

# A client of HTTP over TLS: it prints the body of the answer.
CLIENT = """
    {{ok, _}} = application:ensure_all_started(ssl),
    {{ok, S}} = ssl:connect("{host}", {port}, [{{verify, verify_none}}, {{versions, ['{version}']}},
                                            {{active, false}}, {{keep_secrets, {keep}}}, binary]),
    ok = ssl:send(S, "GET /inside HTTP/1.0\\r\\nHost: {host}\\r\\n\\r\\n"),
    {{ok, Data}} = (fun Get(All) -> case ssl:recv(S, 0) of
        {{ok, More}} -> Get(<<All/binary, More/binary>>);
        {{error, closed}} -> {{ok, All}}
    end end)(<<>>),
    io:format("~s", [lists:last(binary:split(Data, <<"\\r\\n\\r\\n">>))]), halt(0).
"""
SERVER_IN_MEMORY = """
@network.server("secure.example", 443, tls=True)
async def secure(conn):
    await conn.read_until(b"\\r\\n\\r\\n")
    await conn.write(b"HTTP/1.0 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nhidden")
"""
# An Erlang server, and a client in Python, which asks it when it listens.
SERVER = """
    {{ok, _}} = application:ensure_all_started(ssl),
    {{ok, L}} = ssl:listen(0, [{{certfile, "{certificate}"}}, {{keyfile, "{key}"}},
                             {{versions, ['{version}']}},
                             {{active, false}}, {{keep_secrets, true}}, {{ip, {{127, 0, 0, 1}}}}, binary]),
    {{ok, {{_, P}}}} = ssl:sockname(L),
    Arguments = ["{client}", integer_to_list(P)],
    Port = open_port({{spawn_executable, "{python}"}}, [{{args, Arguments}}, exit_status]),
    {{ok, A}} = ssl:transport_accept(L), {{ok, S}} = ssl:handshake(A),
    {{ok, _}} = ssl:recv(S, 0), ok = ssl:send(S, "HTTP/1.0 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nhidden"),
    ok = ssl:close(S), receive {{Port, {{exit_status, 0}}}} -> io:format("hidden"), halt(0) end.
"""
PYTHON_CLIENT = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])))) as sock:
    sock.sendall(b"GET /inside HTTP/1.0\\r\\n\\r\\n")
    while sock.recv(1000):
        pass
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    made = folder / "certificate.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-keyout", str(made[1]), "-out", str(made[0]), "-subj", "/CN=localhost"]
    subprocess.run(command, check=True, capture_output=True)
    return made


class Hidden(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"hidden")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def outside(certificate: tuple[Path, Path]) -> Iterator[int]:
    """The port of a server that has nothing to do with the trace."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hidden)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def traced(path: Path, program: str, *options: str) -> None:
    command = [sys.executable, "-m", "inetpy", "run", "--trace", str(path), *options, "--"]
    done = subprocess.run(
        [*command, "erl", "-noshell", "-eval", program],
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        env=os.environ | {"ERL_CRASH_DUMP": os.devnull},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "hidden"), done.stderr


def tshark(path: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        ["tshark", "-r", str(path), "-d", "tls.port==1-65535,http", *arguments],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def opened(path: Path) -> list[str]:
    """What tshark sees of HTTP, in one reading."""
    fields = ("-T", "fields", "-e", "http.request.uri", "-e", "http.file_data", "-Y", "http")
    rows = [row.strip() for row in tshark(path, *fields)]
    return [bytes.fromhex(row).decode() if row == b"hidden".hex() else row for row in rows]


def test_a_server_in_memory(tmp_path: Path, version: str) -> None:
    """Its keys are Python's own."""
    path = tmp_path / "run.pcapng"
    (tmp_path / "net.py").write_text(SERVER_IN_MEMORY)
    program = CLIENT.format(host="secure.example", port=443, version=version, keep="false")
    traced(path, program, "--network", str(tmp_path / "net.py"))
    assert opened(path) == ["/inside", "hidden"]


def test_a_client_of_ssl(tmp_path: Path, version: str, outside: int) -> None:
    path = tmp_path / "run.pcapng"
    traced(path, CLIENT.format(host="localhost", port=outside, version=version, keep="true"))
    assert opened(path) == ["/inside", "hidden"]


def test_a_server_of_ssl(tmp_path: Path, version: str, certificate: tuple[Path, Path]) -> None:
    path, client = tmp_path / "run.pcapng", tmp_path / "client.py"
    client.write_text(PYTHON_CLIENT)
    names = {"certificate": certificate[0], "key": certificate[1], "python": sys.executable, "client": client}
    traced(path, SERVER.format(version=version, **names))
    assert opened(path) == ["/inside", "hidden"]


def test_keys_that_are_not_kept(tmp_path: Path, version: str, outside: int) -> None:
    """The capture has the packets, and no key."""
    path = tmp_path / "run.pcapng"
    traced(path, CLIENT.format(host="localhost", port=outside, version=version, keep="false"))
    assert opened(path) == []
    assert b"CLIENT_" not in path.read_bytes()
    assert tshark(path, "-Y", "tls.app_data")


def test_lines_have_no_keys(tmp_path: Path, version: str, outside: int) -> None:
    path = tmp_path / "run.jsonl"
    traced(path, CLIENT.format(host="localhost", port=outside, version=version, keep="true"))
    assert "CLIENT_" not in path.read_text()
