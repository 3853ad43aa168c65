#!/usr/bin/env python3
"""An echo server on hypercorn, a server for ASGI programs: WebSockets over HTTP/2 without TLS. It takes no arguments."""

import asyncio
import contextlib
import signal
import socket

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def echo(scope, receive, send):
    if scope["type"] != "websocket":
        return
    assert scope["http_version"] == "2", scope["http_version"]
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": event["bytes"], "text": event["text"]})


async def main():
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        print("listening on {}:{}".format(*listener.getsockname()), flush=True)
        config = Config()
        config.bind, config.graceful_timeout = [f"fd://{listener.detach()}"], 1
        await serve(echo, config, shutdown_trigger=ended.wait)


asyncio.run(main())
