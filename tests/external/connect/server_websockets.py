"""Echo servers of the Python library `websockets`.

usage: server_websockets.py ADDRESS FILE

The file is JSON: of each server the name, and null, or `certificate`, `key`, the authority of the `clients` that it lets
in or null, and the one `version` of TLS or null. Prints `listening on PORTS`, JSON without spaces: of each name the port.
"""

import asyncio
import contextlib
import json
import logging
import ssl
import sys
from pathlib import Path

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


async def echo(socket):
    with contextlib.suppress(ConnectionClosed):
        async for message in socket:
            if message in ("close", "close later"):
                await asyncio.sleep(0.6 if message == "close later" else 0)
                return
            await socket.send(message)


def context(settings):
    if settings is None:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(settings["certificate"], settings["key"])
    if settings["clients"]:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(settings["clients"])
    if settings["version"]:
        made.minimum_version = made.maximum_version = VERSIONS[settings["version"]]
    return made


async def main():
    # What goes wrong with a client is for the client to say.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    address, file = sys.argv[1:]
    ports = {}
    async with contextlib.AsyncExitStack() as stack:
        for name, settings in json.loads(Path(file).read_text()).items():
            server = await stack.enter_async_context(serve(echo, address, 0, ssl=context(settings)))
            ports[name] = server.sockets[0].getsockname()[1]
        print("listening on", json.dumps(ports, separators=(",", ":")), flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
