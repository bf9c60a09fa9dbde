"""ejabberd, unmodified, on Python sockets; the clients are slixmpp. Run by `make test-apps`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from program import assert_listens_in_python, free_port, make_certificate, running

slixmpp = pytest.importorskip("slixmpp")

BEAMS = next(Path("/usr/lib").glob("*/ejabberd-*/ebin"), None)
MESSAGES = 200

pytestmark = [
    pytest.mark.skipif(BEAMS is None, reason="ejabberd is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of slixmpp
]

SETTINGS = """\
hosts: [localhost]
certfiles: ["{folder}/both.pem"]
listen:
  - {{port: {port}, ip: "127.0.0.1", module: ejabberd_c2s, starttls_required: true}}
auth_method: internal
auth_password_format: scram
registration_timeout: infinity
modules:
  mod_register: {{registration_watchers: [], ip_access: all}}
"""


@dataclass
class Server:
    port: int
    certificate: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """ejabberd as `ejabberdctl foreground` starts it, but as the current user and with files of its own."""
    assert BEAMS is not None
    folder = tmp_path_factory.mktemp("ejabberd")
    key, certificate = make_certificate(folder)
    (folder / "both.pem").write_text(certificate.read_text() + key.read_text())
    port = free_port()
    (folder / "ejabberd.yml").write_text(SETTINGS.format(folder=folder, port=port))
    variables = {
        "EJABBERD_CONFIG_PATH": str(folder / "ejabberd.yml"),
        "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
        "ERL_LIBS": str(BEAMS.parent.parent),
    }
    command = ["erl", "-sname", "inetpy@localhost", "-noinput", "-mnesia", "dir", f'"{folder}/mnesia"']
    with running(folder, port, [*command, "-s", "ejabberd"], variables):
        yield Server(port, certificate)


class Client(slixmpp.ClientXMPP):  # type: ignore[name-defined, misc]
    """Registers, logs in, and keeps the messages that it receives."""

    def __init__(self, name: str, server: Server) -> None:
        super().__init__(f"{name}@localhost", f"the password of {name}")
        self.register_plugin("xep_0077")
        self.plugin["xep_0077"].force_registration = True
        self.ca_certs = str(server.certificate)
        self.online: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.received: asyncio.Queue[str] = asyncio.Queue()
        self.add_event_handler("register", self.on_register)
        self.add_event_handler("session_start", self.on_session)
        self.add_event_handler("message", lambda message: self.received.put_nowait(message["body"]))
        self.connect("127.0.0.1", server.port)

    async def on_register(self, _form: object) -> None:
        answer = self.Iq()
        answer["type"] = "set"
        answer["register"]["username"] = self.boundjid.user
        answer["register"]["password"] = self.password
        await answer.send()

    async def on_session(self, _event: object) -> None:
        self.send_presence()
        self.online.set_result(self.transport.get_extra_info("cipher")[1])


def test_listens_in_python(server: Server) -> None:
    assert_listens_in_python(server.port)


def test_login_and_messages(server: Server) -> None:
    """Two users log in with SCRAM over STARTTLS, and one writes to the other."""

    async def talk() -> list[str]:
        alice, bob = Client("alice", server), Client("bob", server)
        for client in (alice, bob):
            assert (await asyncio.wait_for(client.online, 30)).startswith("TLS")
        for number in range(MESSAGES):
            alice.send_message("bob@localhost", f"{number} λ", mtype="chat")
        received = [await asyncio.wait_for(bob.received.get(), 30) for _ in range(MESSAGES)]
        for client in (alice, bob):
            await client.disconnect()
        return received

    assert asyncio.run(talk()) == [f"{number} λ" for number in range(MESSAGES)]
