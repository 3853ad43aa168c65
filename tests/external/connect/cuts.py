"""TCP that is cut without close_notify: in TLS, before, amid and after the closing handshake."""

import contextlib
import selectors
import socket
import struct
import threading

from client import LIMIT, expect, opened
from peers import websockets_servers, ws_servers
from tls import of

QUIET = 0.25  # seconds without a record: the WebSocket is open, and the client or the server waits with its Close
STAY = ("--stay", "800")  # milliseconds, longer than that

# When to cut, what the client is told, and whether the WebSocket was closed cleanly by then.
CUTS = [
    ("before any Close", ("--stay", "20000"), False),
    ("after the client's Close", STAY, False),
    ("after both Closes", STAY, True),
    ("after the server's Close", ("--say", "close later", "--stay", "20000"), True),
]


def check_cuts(checks, client, certificates):
    client = client.with_options("--cacert", certificates.pem("ca"))
    settings = {version: of(certificates, ("good", None, version)) for version in ("1.2", "1.3")}
    with websockets_servers(settings) as websockets, ws_servers(settings) as ws:
        for peer, ports in (("websockets", websockets), ("ws", ws)):
            for version, port in ports.items():
                for how in ("ended", "reset"):
                    name = f"{peer}, TLS {version}, TCP is {how}"
                    check_peer(checks, client, name, port, version, how == "reset")


def check_peer(checks, client, name, port, version, resets):
    def check(when, options, body):
        def cut():
            with relay(port, when, resets) as cutting:
                body(client(f"wss://127.0.0.1:{cutting}/", *options))

        checks.run(f"{name} {when}", cut)

    check("amid TLS", (), lambda report: expect(report, result="TLS", stage="tls"))
    if version == "1.2":
        # In TLS 1.3 nobody between can tell which record is the request.
        check("after the request", (), lambda report: expect(report, result="handshake", stage="handshake"))
    words = "reset" if resets else "without sending TLS close_notify"
    for when, options, is_clean in CUTS:
        if resets and when == "after the server's Close":
            # Whether our own Close could still be sent is a matter of luck.
            check(when, options, lambda report: expect(report, result="opened", close=1000))
        elif is_clean:
            check(when, options, opened)
        else:
            check(when, options, lambda report: expect(report, result="opened", error=words, close=1006, clean=False))


@contextlib.contextmanager
def relay(port, when, resets):
    """A port that leads to this one for one connection, until it is cut."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT)
        failed = []

        def run():
            try:
                with listener.accept()[0] as client, socket.create_connection(("127.0.0.1", port)) as server:
                    forward(client, server, when)
                    cut(client, resets)
            except Exception as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()
        if failed:
            raise failed[0]


def forward(client, server, when):
    """Forwards records in both directions up to the place for the cut."""
    waiting = {client: bytearray(), server: bytearray()}
    is_quiet = False
    with selectors.DefaultSelector() as ready:
        for side in waiting:
            side.settimeout(LIMIT)
            ready.register(side, selectors.EVENT_READ)
        while True:
            sides = [key.fileobj for key, _ in ready.select(QUIET)]
            if not sides:
                if when == "before any Close":
                    return
                is_quiet = True
            for side in sides:
                received = side.recv(1 << 16)
                if not received:
                    raise AssertionError("an end came before the cut")
                waiting[side] += received
                for record in records(waiting[side]):
                    (client if side is server else server).sendall(record)
                    if is_place(when, side is server, record, is_quiet):
                        return


def records(octets):
    """Takes whole records of TLS (RFC 8446 section 5.1)."""
    while len(octets) >= 5 and len(octets) >= (length := 5 + int.from_bytes(octets[3:5], "big")):
        yield bytes(octets[:length])
        del octets[:length]


def is_place(when, from_server, record, is_quiet):
    """Whether the cut comes after this record."""
    if when == "amid TLS":
        return from_server
    if when == "after the request":
        return not from_server and record[0] == 23
    # The first record that breaks the quiet is a Close.
    return is_quiet and from_server == (when != "after the client's Close")


def cut(client, resets):
    if resets:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    client.shutdown(socket.SHUT_WR)
    # What still comes is read, so that closing is no reset.
    while client.recv(1 << 16):
        pass
