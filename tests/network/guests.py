"""Servers from PyPI, unchanged, on a network in memory: a file for INETPY_NETWORK."""

from __future__ import annotations

from typing import Any

import uvicorn
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope
from fakeredis import FakeAsyncRedis, FakeServer
from redis.exceptions import ResponseError
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from inetpy.network.certificates import server_context
from inetpy.network.network import Network
from inetpy.network.servers import Conn

network: Network = globals()["network"]  # who reads this file gives it

# --- HTTP: aiohttp ---


async def hello(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    return web.json_response({"method": request.method, "name": name, "via": request.host})


async def size(request: web.Request) -> web.StreamResponse:
    return web.Response(text=str(len(await request.read())))


async def chunks(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    for number in range(100):
        await response.write(b"%d " % number * 1000)
    await response.write_eof()
    return response


application = web.Application(client_max_size=1 << 30)
application.add_routes([web.get("/hello/{name}", hello), web.post("/size", size), web.get("/chunks", chunks)])
runner = web.AppRunner(application)
network.loop.run_until_complete(runner.setup())
assert runner.server is not None
network.protocol("web.example", 80, runner.server)
network.protocol("web.example", 443, runner.server, tls=True)

# --- HTTP: uvicorn, with its protocol over h11 ---


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        event = await receive()
        body, more = body + event["body"], event["more_body"]
    headers = [(b"x-path", scope["path"].encode())]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": body[::-1]})


config = uvicorn.Config(asgi, lifespan="off", log_config=None)
config.load()
state = ServerState()
network.protocol("uvicorn.example", 8000, lambda: H11Protocol(config, state, {}))

# --- SMTP: aiosmtpd ---


class Mailbox:
    """Keeps the mails, and shows the last one to VRFY."""

    last = ""

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.last = f"{envelope.mail_from} {','.join(envelope.rcpt_tos)} {len(envelope.content)}"
        return "250 kept"

    async def handle_VRFY(self, _server: SMTP, _session: Any, _envelope: Envelope, _address: str) -> str:
        return f"252 {self.last}"


mailbox = Mailbox()
context = server_context(True, "mail.example")


def plain() -> SMTP:
    return SMTP(mailbox, hostname="mail.example", loop=network.loop)


def with_starttls() -> SMTP:
    return SMTP(
        mailbox, hostname="mail.example", tls_context=context, require_starttls=True, loop=network.loop
    )


network.protocol("mail.example", 25, plain)
network.protocol("mail.example", 587, with_starttls)

# --- Redis: the commands of fakeredis, whose own server has threads and sockets of the system ---

store = FakeServer()


def reply(value: Any) -> bytes:
    """A value as RESP 2 has it."""
    match value:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % value
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(value), value)
        case list():
            return b"*%d\r\n" % len(value) + b"".join(map(reply, value))
    return b"-%b\r\n" % str(value).encode()


async def read_number(conn: Conn) -> int:
    return int((await conn.read_until(b"\r\n"))[1:])


async def read_command(conn: Conn) -> list[bytes]:
    count = await read_number(conn)
    return [(await conn.read_exactly(await read_number(conn) + 2))[:-2] for _ in range(count)]


@network.server("redis.example", 6379)
async def redis(conn: Conn) -> None:
    pool: Any = FakeAsyncRedis(server=store).connection_pool
    connection = await pool.get_connection()
    while True:
        await connection.send_command(*await read_command(conn))
        try:
            answer = await connection.read_response()
        except ResponseError as error:
            answer = error
        await conn.write(reply(answer))
