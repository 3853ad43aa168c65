#!/usr/bin/env python3
"""The configurations of docs/reverse-proxies.md, each in its proxy on loopback, in front of the example `echo_server`.

usage: run.py [--server PROGRAM]    the example `echo_server`
              [--only PROXY]...     only these: nginx, haproxy, apache, caddy

The client is Python's `websockets`, installed by name under target/interop/; the proxies have to be there.
Each check prints one line; the last line is `N passed, N failed`.
"""

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "interop")]

from libraries import python_with_websockets  # noqa: E402

try:
    from websockets.exceptions import ConnectionClosed, InvalidStatus
    from websockets.sync.client import connect
except ImportError:
    python = python_with_websockets()
    os.execv(python, [python, __file__, *sys.argv[1:]])

from checks import CLOSES, MIB, SIZES, Checks, equal, text  # noqa: E402
from loopback import echo_server, end, end_children_when_ended, free_port, tail  # noqa: E402
from proxies import IDLE, PROXIES, Page, proxy  # noqa: E402

ROOT = HERE.parents[2]
TARGET = ROOT / "target" / "proxies"
CHECKS = {"nginx": 26, "haproxy": 24, "apache": 26, "caddy": 24}
LIMIT = 20  # seconds for anything that is waited for


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=Path, default=ROOT / "target" / "release" / "examples" / "echo_server")
    parser.add_argument("--only", choices=PROXIES, action="append")
    options = parser.parse_args()
    end_children_when_ended()
    TARGET.mkdir(parents=True, exist_ok=True)
    page = Page(ROOT / "docs" / "reverse-proxies.md")
    total = Checks()
    for name in options.only or PROXIES:
        print(f"== {name} ==", flush=True)
        checks = Checks()
        try:
            Suite(checks, name, page, options.server.resolve()).run()
        except Exception as error:
            checks.failed += 1
            print(f"FAIL  {name} cannot be checked: {type(error).__name__}: {error}")
        if len(checks.names) != CHECKS[name]:
            checks.failed += 1
            print(f"FAIL  {len(checks.names)} checks ran, not {CHECKS[name]}")
        total.passed += checks.passed
        total.failed += checks.failed
    return total.finish()


class Suite:
    def __init__(self, checks, name, page, program):
        self.checks = checks
        self.name = name
        self.page = page
        self.program = program

    def run(self):
        with self.server() as (server, address), self.proxy(address) as port:
            self.url = f"ws://127.0.0.1:{port}/chat"
            self.origin = f"http://127.0.0.1:{port}"
            for compression in (None, "deflate"):
                for size in (*SIZES, MIB):
                    self.checks.run(f"{self.name}: {size} bytes, {compression}", self.echo, size, compression)
            self.checks.run(f"{self.name}: Closes of the client", self.closes)
            self.checks.run(f"{self.name}: a Close of the server", self.close_of_the_server)
            self.checks.run(f"{self.name}: a subprotocol", self.subprotocol)
            self.checks.run(f"{self.name}: a page of the same host", self.page_of, self.origin, None)
            for what, fields in (
                ("a page of another host", {}),
                ("another host that X-Forwarded fields name",
                 {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Forwarded": "host=evil.example"}),
            ):
                self.checks.run(f"{self.name}: {what}", self.page_of, "http://evil.example", 403, fields)
            self.checks.run(f"{self.name}: silence for longer than the proxy allows, without Pings",
                            self.silence, IDLE[self.name] is None)
            self.checks.run(f"{self.name}: the server ends", self.end_of_the_server, server)
            self.checks.run(f"{self.name}: no server is there", self.page_of, None, PROXIES[self.name].no_server)
        with self.server("--ping", "300") as (_, address), self.proxy(address) as port:
            self.url = f"ws://127.0.0.1:{port}/chat"
            self.checks.run(f"{self.name}: the same silence, with Pings of the server", self.silence, True)
        for line in PROXIES[self.name].needed:
            with self.server() as (_, address), self.proxy(address, without=line) as port:
                self.url = f"ws://127.0.0.1:{port}/chat"
                origin, status = f"http://127.0.0.1:{port}", PROXIES[self.name].needed[line]
                self.checks.run(f"{self.name}: without `{line}`", self.page_of, origin, status)

    @contextlib.contextmanager
    def server(self, *options):
        log = TARGET / f"{self.name}-server.log"
        with echo_server([self.program, "--same-host", "--subprotocol", "chat", *options], log) as (server, address):
            if address is None:
                raise OSError(f"the server did not start: {tail(log)}")
            yield server, address

    def proxy(self, address, without=None):
        return proxy(self.name, self.page, address, TARGET, without)

    def connect(self, compression=None, **options):
        options = {"proxy": None, "max_size": None, "ping_interval": None, "open_timeout": LIMIT, **options}
        return connect(self.url, compression=compression, **options)

    def echo(self, size, compression):
        with self.connect(compression) as peer:
            equal(len(peer.protocol.extensions), 1 if compression else 0, "extensions")
            for message in (os.urandom(size), text(size)):
                peer.send(message)
                equal(peer.recv(LIMIT), message, "the echo")

    def closes(self):
        for code, reason in CLOSES:
            with self.connect() as peer:
                peer.close(code, reason)
                equal(peer.protocol.close_rcvd.code, code, "the answer")

    def close_of_the_server(self):
        with self.connect() as peer:
            peer.send(b"\xff", text=True)
            equal(code(peer), 1007, "the code")

    def subprotocol(self):
        with self.connect(subprotocols=["x", "chat"]) as peer:
            equal(peer.subprotocol, "chat", "the subprotocol")
            equal(peer.response.headers.get_all("Sec-WebSocket-Protocol"), ["chat"], "its field")

    def page_of(self, origin, refused, fields=()):
        try:
            with self.connect(origin=origin, additional_headers=fields) as peer:
                peer.send("Hello")
                equal(peer.recv(LIMIT), "Hello", "the echo")
            status = None
        except InvalidStatus as error:
            status = error.response.status_code
        equal(status, refused, "the status")

    def silence(self, survives):
        with self.connect() as peer:
            peer.send("Hello")
            equal(peer.recv(LIMIT), "Hello", "the echo")
            began = time.monotonic()
            try:
                peer.recv(1.9)
            except TimeoutError:
                equal(True, survives, "it survives")
                peer.send("still there")
                equal(peer.recv(LIMIT), "still there", "the echo")
            except ConnectionClosed:
                equal(False, survives, "it survives")
                equal(peer.protocol.close_code, 1006, "the code: nobody sent a Close")
                if time.monotonic() - began < 0.9 * IDLE[self.name]:
                    raise AssertionError("the proxy ended it too early") from None

    def end_of_the_server(self, server):
        with self.connect() as peer:
            peer.send("Hello")
            equal(peer.recv(LIMIT), "Hello", "the echo")
            server.terminate()
            equal(code(peer), 1001, "the code")
        end(server)


def code(peer):
    """That of the Close which ends this connection."""
    try:
        raise AssertionError(f"a message came: {peer.recv(LIMIT)!r}")
    except ConnectionClosed:
        return peer.protocol.close_code


if __name__ == "__main__":
    sys.exit(main())
