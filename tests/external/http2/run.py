#!/usr/bin/env python3
"""WebSockets over HTTP/2 against others: Python's `h2` with `wsproto`, as client and as server, Python's hypercorn as server, and haproxy
and nghttpx in between, from HTTP/2 to HTTP/2 and from HTTP/1.1 to HTTP/2. All on loopback.

usage: run.py --examples FOLDER     with the programs `h2_echo` and `h2_ask`, as `cargo build -p sockless-h2 --examples` makes them

It needs `haproxy` and `nghttpx` (Debian's `nghttp2-proxy`). It ends with 1 if one case fails.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent / "support"))

from libraries import python_packages  # noqa: E402
from loopback import accepts, announced_address, end_children_when_ended, free_port, process, tail  # noqa: E402

PACKAGES = ("h2==4.4.1", "hypercorn==0.18.0", "wsproto==1.3.2")
CODES = (1000, 1001, 3000, 4999)  # of which hypercorn sends back each
HAPROXY = """
global
    maxconn 100
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    timeout tunnel 1m
frontend one
    bind fd@{one}
    default_backend ours
frontend two
    bind fd@{two} proto h2
    default_backend ours
backend ours
    server ours {address} proto h2
"""


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--examples", type=Path, required=True)
    options = options.parse_args()
    end_children_when_ended()
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
    python = python_packages(target / "http2" / "venv", *PACKAGES)
    peer = [python, HERE / "peer.py"]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as started:
        log = Path(folder) / "ours.log"
        ours = serve(started, [options.examples / "h2_echo", "--listen", "127.0.0.1:0"], log)
        theirs = serve(started, [*peer, "serve"], Path(folder) / "theirs.log")
        hypercorn = serve(started, [python, HERE / "hypercorn_echo.py"], Path(folder) / "hypercorn.log")
        one, two = (started.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
        config = Path(folder) / "haproxy.cfg"
        config.write_text(HAPROXY.format(one=one.fileno(), two=two.fileno(), address=ours))
        proxy = Path(folder) / "haproxy.log"
        started.enter_context(process(["haproxy", "-db", "-f", config], proxy, pass_fds=[one.fileno(), two.fileno()]))
        port, host = free_port(), ours.rsplit(":", 1)
        command = ["nghttpx", "--conf=/dev/null", "--workers=1", f"--frontend=127.0.0.1,{port};no-tls"]
        command.append(f"--backend={host[0]},{host[1]};;proto=h2")
        nghttpx = started.enter_context(process(command, Path(folder) / "nghttpx.log"))
        accepts(port, nghttpx)
        three = f"127.0.0.1:{port}"
        cases = {
            "a client of Python": [*peer, "ask", ours],
            "a client of Python through haproxy, HTTP/2 to HTTP/2": [*peer, "ask", address(two)],
            "a client of Python through haproxy, HTTP/1.1 to HTTP/2": [*peer, "ask", address(one), "--upgrade"],
            "a client of Python through nghttpx, HTTP/2 to HTTP/2": [*peer, "ask", three],
            "a client of Python through nghttpx, HTTP/1.1 to HTTP/2": [*peer, "ask", three, "--upgrade"],
            "our client, a server of Python": [options.examples / "h2_ask", f"ws://{theirs}/"],
            "our client through haproxy": [options.examples / "h2_ask", f"ws://{address(two)}/"],
        }
        for code in CODES:
            command = [options.examples / "h2_ask", "--code", str(code), f"ws://{hypercorn}/"]
            cases[f"our client, hypercorn, closed with {code}"] = command
        failed = [name for name, command in cases.items() if not passes(name, command)]
        if failed:
            print(f"ours: {tail(log)}\nhaproxy: {tail(proxy)}")
    return 1 if failed else 0


def address(listener):
    return f"127.0.0.1:{listener.getsockname()[1]}"


def serve(started, command, log):
    server = started.enter_context(process(command, log, stdout=subprocess.PIPE))
    listens = announced_address(server)
    if listens is None:
        sys.exit(f"FAIL  {command[0]}: {tail(log)}")
    return listens


def passes(name, command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=40)
        status, said = done.returncode, done.stdout.strip()
    except subprocess.TimeoutExpired as late:
        status, said = "the time limit", str(late.stdout or "")
    if not status and "compression: true" not in said.lower():
        status = "no compression"
    print(f"{'FAIL ' if status else 'ok   '} {name}: {said if status == 0 else f'{status}: {said}'}", flush=True)
    return status == 0


if __name__ == "__main__":
    sys.exit(main())
