"""The Python library `websockets` as the other side.

usage: peer_websockets.py server [deflate] URL       it is the client of the echo server at URL
       peer_websockets.py client [deflate] COMMAND   it is the server of the terminal client

With `deflate` it takes permessage-deflate with its defaults, without it never.

Prints one line a check; the last line is `N passed, N failed`.
"""

import contextlib
import logging
import queue
import subprocess
import sys
import threading
import time

from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.sync.client import connect
from websockets.sync.server import serve

from checks import BAD_FRAMES, CLOSES, MIB, SIZES, Checks, equal, frame, text

LIMIT = 20  # seconds for anything that is waited for


def main():
    mode, *compression, target = sys.argv[1:]
    compression = compression[0] if compression else None
    # What the peer logs about the faults that it is made to commit is no news.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    checks = Checks()
    if mode == "server":
        echo_checks(checks, ServerUnderTest(target, compression))
        checks.run("subprotocols are offered: the connection opens", check_subprotocols, target)
    else:
        with serve_connections(compression) as (port, connections):
            client = ClientUnderTest(target, compression, port, connections)
            echo_checks(checks, client)
            client_checks(checks, client)
    return checks.finish()


class ServerUnderTest:
    """Opens connections to the echo server."""

    masked = True

    def __init__(self, url, compression):
        self.url = url
        self.compression = compression

    @contextlib.contextmanager
    def echoing(self, clean=True):
        options = {"proxy": None, "max_size": None, "ping_interval": None}
        with connect(self.url, compression=self.compression, **options) as peer:
            equal(len(peer.protocol.extensions), 1 if self.compression else 0, "extensions")
            yield peer


class ClientUnderTest:
    """Starts the terminal client and takes its connection."""

    masked = False

    def __init__(self, command, compression, port, connections):
        self.command = command
        self.compression = compression
        self.port = port
        self.connections = connections

    @contextlib.contextmanager
    def echoing(self, clean=True):
        """A connection whose other end echoes; `clean` says how it is expected to end."""
        with self.run("--echo") as (client, peer):
            yield peer
            peer.close()
            equal(client.wait(LIMIT), 0 if clean else 1, "exit status")

    @contextlib.contextmanager
    def run(self, *options):
        command = [self.command, *options, f"ws://127.0.0.1:{self.port}/path?query"]
        pipe = subprocess.PIPE
        client = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        try:
            peer = self.connections.get(timeout=LIMIT)
            equal(len(peer.protocol.extensions), 1 if self.compression else 0, "extensions")
            yield client, peer
        finally:
            client.kill()
            client.wait()
            for stream in (client.stdin, client.stdout, client.stderr):
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@contextlib.contextmanager
def serve_connections(compression):
    """A server that hands its connections over to the checks."""
    connections = queue.Queue()

    def handle(peer):
        connections.put(peer)
        closed = threading.Event()
        while peer.protocol.state is not peer.protocol.state.CLOSED:
            closed.wait(0.02)

    def refuse(peer, request):
        return peer.respond(403, "not here\n") if request.path == "/forbidden" else None

    options = {"compression": compression, "max_size": None, "ping_interval": None, "process_request": refuse}
    with serve(handle, "127.0.0.1", 0, subprotocols=["second"], select_subprotocol=choose, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1], connections
        server.shutdown()
        thread.join()


def choose(_peer, offered):
    return "second" if "second" in offered else None


def echo_checks(checks, tested):
    """What holds for either role, as long as the other end echoes."""
    for size in (*SIZES, MIB):
        checks.run(f"text of {size} bytes", check_echo, tested, text(size))
        checks.run(f"binary of {size} bytes", check_echo, tested, bytes(at % 251 for at in range(size)))
    checks.run("many messages, sent before any answer is read", check_pipeline, tested)
    checks.run("a text in fragments that split a character", check_split_character, tested)
    checks.run("a binary message in 1000 fragments, some empty", check_fragments, tested)
    checks.run("1 MiB text in fragments of 4 KiB", check_large_fragments, tested)
    checks.run("pings between fragments are answered before the message ends", check_ping_between, tested)
    for payload in (b"", b"\x00\xffping", bytes(125)):
        checks.run(f"a ping of {len(payload)} bytes comes back", check_ping, tested, payload)
    checks.run("an unsolicited pong is no matter", check_pong, tested)
    for code, reason in CLOSES:
        checks.run(f"Close {code} with a reason of {len(reason.encode())} bytes is answered with its code alone", check_close, tested, code, reason)
    checks.run("a Close without a code is answered without one", check_empty_close, tested)
    checks.run("a Close in the middle of a message is answered", check_close_in_message, tested)
    for name, code, first, payload, options in BAD_FRAMES:
        checks.run(f"{name}: Close {code}", check_bad_frame, tested, code, first, payload, options)
    checks.run("a text inside a fragmented text: Close 1002", check_interleaved, tested)


def check_echo(tested, message):
    with tested.echoing() as peer:
        peer.send(message)
        equal(peer.recv(timeout=LIMIT), message, "echo")


def check_pipeline(tested):
    messages = [text(at) if at % 2 else bytes(at) for at in range(200)]
    with tested.echoing() as peer:
        for message in messages:
            peer.send(message)
        equal([peer.recv(timeout=LIMIT) for _ in messages], messages, "echoes in order")


def check_split_character(tested):
    message = "a€😀b".encode()
    with tested.echoing() as peer:
        for at, byte in enumerate(message):
            send_raw(tested, peer, (1 if at == 0 else 0) | (0x80 if at == len(message) - 1 else 0), bytes([byte]))
        equal(peer.recv(timeout=LIMIT), message.decode(), "echo")


def check_fragments(tested):
    parts = [bytes([at % 256]) * (at % 7) for at in range(1000)]
    with tested.echoing() as peer:
        peer.send(parts)
        equal(peer.recv(timeout=LIMIT), b"".join(parts), "echo")


def check_large_fragments(tested):
    whole = text(MIB)
    with tested.echoing() as peer:
        peer.send([whole[at : at + 4096] for at in range(0, len(whole), 4096)])
        equal(peer.recv(timeout=LIMIT), whole, "echo")


def check_ping_between(tested):
    with tested.echoing() as peer:

        def parts():
            yield "Hel"
            pong = peer.ping(b"between")
            if not pong.wait(LIMIT):
                raise AssertionError("no pong while the message is unfinished")
            yield "lo"

        peer.send(parts())
        equal(peer.recv(timeout=LIMIT), "Hello", "echo")


def check_ping(tested, payload):
    with tested.echoing() as peer:
        if not peer.ping(payload).wait(LIMIT):  # set by a pong with the same payload only
            raise AssertionError("no pong with the payload of the ping")


def check_pong(tested):
    with tested.echoing() as peer:
        peer.pong(b"unasked")
        peer.send("still here")
        equal(peer.recv(timeout=LIMIT), "still here", "echo")


def check_close(tested, code, reason):
    with tested.echoing() as peer:
        peer.close(code, reason)
        equal(peer.protocol.close_rcvd, Close(code, ""), "the Close that came back")


def check_empty_close(tested):
    with tested.echoing() as peer:
        send_raw(tested, peer, 0x88, b"")
        equal(close_received(peer), Close(1005, ""), "the Close that came back")


def check_close_in_message(tested):
    with tested.echoing() as peer:
        send_raw(tested, peer, 0x01, b"unfinished")
        send_raw(tested, peer, 0x88, b"\x03\xe8enough")
        equal(close_received(peer), Close(1000, ""), "the Close that came back")


def check_bad_frame(tested, code, first, payload, options):
    # What is reserved depends on what was agreed.
    first = 0xA1 if first == 0xC1 and tested.compression else first
    with tested.echoing(clean=False) as peer:
        send_raw(tested, peer, first, payload, **options)
        equal(close_received(peer).code, code, "code of the Close")


def check_interleaved(tested):
    with tested.echoing(clean=False) as peer:
        send_raw(tested, peer, 0x01, b"first")
        send_raw(tested, peer, 0x81, b"second")
        equal(close_received(peer).code, 1002, "code of the Close")


def check_subprotocols(url):
    with connect(url, subprotocols=["first", "second"], proxy=None) as peer:
        if peer.subprotocol not in (None, "first", "second"):
            raise AssertionError(f"subprotocol {peer.subprotocol}")
        peer.send("Hello")
        equal(peer.recv(timeout=LIMIT), "Hello", "echo")


def client_checks(checks, client):
    """What the terminal client does with its standard streams and options."""
    checks.run("lines go out as text, messages come out as lines", check_lines, client)
    checks.run("--binary: lines of hex go out as binary, binary comes out as hex", check_binary_lines, client)
    checks.run("a line of 1 MiB goes out whole, a message of 1 MiB comes out whole", check_long_line, client)
    checks.run("the end of the input closes with 1000", check_end_of_input, client)
    checks.run("--close 4999:done closes with that", check_close_option, client)
    checks.run("the peer's Close ends it and is reported", check_peer_close, client)
    checks.run("a peer that vanishes is reported as 1006", check_vanished, client)
    checks.run("--subprotocol offers in order and accepts the choice", check_offered_subprotocols, client)
    checks.run("--header and --origin are sent, and no more than asked", check_headers, client)
    checks.run("a refusal is reported with its status", check_refusal, client)


def check_lines(client):
    with client.run() as (process, peer):
        for line in ("Hello", "", "żółw"):
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            equal(peer.recv(timeout=LIMIT), line, "message")
            peer.send(f"{line}!")
            equal(read_line(process), f"{line}!", "line")


def check_binary_lines(client):
    with client.run("--binary") as (process, peer):
        process.stdin.write(b"00ff7f\n")
        process.stdin.flush()
        equal(peer.recv(timeout=LIMIT), b"\x00\xff\x7f", "message")
        peer.send(b"\xde\xad\x00")
        equal(read_line(process), "dead00", "line")


def check_long_line(client):
    with client.run() as (process, peer):
        process.stdin.write(text(MIB).encode() + b"\n")
        process.stdin.flush()
        equal(peer.recv(timeout=LIMIT), text(MIB), "message")
        peer.send(text(MIB))
        equal(read_line(process), text(MIB), "line")


def check_end_of_input(client):
    with client.run() as (process, peer):
        process.stdin.close()
        equal(close_received(peer), Close(1000, ""), "Close")
        equal(process.wait(LIMIT), 0, "exit status")
        equal(last_line(process), "closed 1000", "report")


def check_close_option(client):
    with client.run("--close", "4999:done") as (process, peer):
        process.stdin.close()
        equal(close_received(peer), Close(4999, "done"), "Close")
        equal(process.wait(LIMIT), 0, "exit status")
        equal(last_line(process), "closed 4999 done", "report")


def check_peer_close(client):
    with client.run() as (process, peer):
        peer.send("last")
        peer.close(3000, "go home")
        equal(read_line(process), "last", "line")
        equal(process.wait(LIMIT), 0, "exit status")
        equal(last_line(process), "closed 3000 go home", "report")


def check_vanished(client):
    with client.run() as (process, peer):
        peer.close_socket()
        equal(process.wait(LIMIT), 1, "exit status")
        equal(last_line(process), "closed 1006", "report")


def check_offered_subprotocols(client):
    with client.run("--subprotocol", "first", "--subprotocol", "second") as (process, peer):
        equal(peer.request.headers["Sec-WebSocket-Protocol"], "first, second", "offer")
        equal(peer.subprotocol, "second", "choice")
        process.stdin.write(b"Hello\n")
        process.stdin.flush()
        equal(peer.recv(timeout=LIMIT), "Hello", "message")


def check_headers(client):
    options = ("--header", "X-One: 1", "--header", "Cookie: a=b; c=d", "--origin", "http://example.com")
    with client.run(*options) as (_, peer):
        headers = peer.request.headers
        equal(peer.request.path, "/path?query", "resource name")
        equal(headers["Host"], f"127.0.0.1:{client.port}", "Host")
        equal(headers["X-One"], "1", "X-One")
        equal(headers["Cookie"], "a=b; c=d", "Cookie")
        equal(headers["Origin"], "http://example.com", "Origin")
        equal("Sec-WebSocket-Protocol" in headers, False, "a subprotocol is offered")
    with client.run() as (_, peer):
        equal("Origin" in peer.request.headers, False, "an origin is sent")


def check_refusal(client):
    url = f"ws://127.0.0.1:{client.port}/forbidden"
    done = subprocess.run([client.command, url], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
    equal(done.returncode, 1, "exit status")
    equal(b"403" in done.stderr, True, "the report names the status")


def send_raw(tested, peer, first, payload, masked=None, **options):
    """Sends a frame past the library, which would refuse most of them."""
    masked = tested.masked if masked is None else not tested.masked
    peer.socket.sendall(frame(first, payload, masked, **options))


def close_received(peer):
    """Reads to the end of the connection; the Close that came."""
    deadline = time.monotonic() + LIMIT
    try:
        while True:
            peer.recv(timeout=max(0, deadline - time.monotonic()))
    except ConnectionClosed as closed:
        if closed.rcvd is None:
            raise AssertionError("the connection ended without a Close") from None
        return closed.rcvd


def read_line(process):
    line = []
    thread = threading.Thread(target=lambda: line.append(process.stdout.readline()), daemon=True)
    thread.start()
    thread.join(LIMIT)
    if not line:
        raise AssertionError("the client printed nothing")
    return line[0].decode().removesuffix("\n")


def last_line(process):
    return process.stderr.read().decode().strip().split("\n")[-1].strip()


if __name__ == "__main__":
    sys.exit(main())
