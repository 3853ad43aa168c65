"""Headless Chromium as the client of an echo server, on a page of loopback.

usage: chromium.py server PROGRAM    the echo server, which is started as needed

No driver: the page takes its tasks from a server in here, and reports to it. Prints one line a check; the last line is
`N passed, N failed`.
"""

import contextlib
import json
import os
import queue
import shutil
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from checks import Checks, equal
from messages import BATCH, conversation, huge, to_json
from negotiation import NAME, Expected, Offer, Ours, answer, canonical, check_traffic
from programs import end_children_when_ended, process, started, tail
from tap import Tap
from traffic import Traffic, read_checks

HERE = Path(__file__).resolve().parent
LIMIT = 60  # seconds for one conversation
PAGE = b'<!doctype html><meta charset="utf-8"><title>echo</title><script type="module" src="chromium.mjs"></script>'

SERVERS = [
    Ours(),
    Ours(server_window=9),
    Ours(client_window=9),
    Ours(takeover=True),
    *(Ours(takeover=True, server_window=bits) for bits in (8, 9, 12)),
    *(Ours(takeover=True, client_window=bits) for bits in (8, 9, 12)),
    Ours(takeover=True, server_window=8, client_window=8),
    Ours(deflate=False),
]

# No window, no sandbox (which needs rights that containers lack), and nothing but loopback.
COMMAND = """
    chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync --disable-extensions
    --disable-background-timer-throttling --no-proxy-server
""".split()
LOOPBACK_ONLY = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


def main():
    mode, program = sys.argv[1:]
    equal(mode, "server", "the only role that a browser can test")
    end_children_when_ended()
    checks = Checks()
    read_checks(checks)
    directory = Path(tempfile.mkdtemp())
    try:
        with browser(directory) as page:
            for ours in SERVERS:
                checks.run(str(ours), check, program, directory / "server.log", ours, page)
    finally:
        # The browser's own processes may still write while they end.
        shutil.rmtree(directory, ignore_errors=True)
    return checks.finish()


def check(program, log, ours, page):
    messages = [*conversation(f"chromium: {ours}"), *huge()]
    with started(program, log, ours) as port, Tap(port) as tap:
        task = {"url": f"ws://127.0.0.1:{tap.port}/", "batch": BATCH, "messages": json.loads(to_json(messages))}
        result = page.run(task)
        traffic = Traffic(tap.recording())
    answered = answer(ours, Offer())
    equal(canonical(result.pop("extensions", None)), canonical(answered or ""), "WebSocket.extensions")
    equal(result, {"code": 1000, "wasClean": True}, "the end")
    check_traffic(traffic, Expected(f"{NAME}; client_max_window_bits", answered, "server", messages, pings=False))


class Page:
    """What the page is to do, and what it reports."""

    def __init__(self):
        self.tasks = queue.Queue()
        self.results = queue.Queue()
        self.running = None  # the browser

    def run(self, task):
        while not self.results.empty():
            self.results.get()  # of a check that is over
        self.tasks.put(task)
        for _ in range(LIMIT):
            with contextlib.suppress(queue.Empty):
                return self.results.get(timeout=1)
            if self.running.poll() is not None:
                raise AssertionError("the browser ended")
        raise AssertionError("the page reported nothing")


@contextlib.contextmanager
def browser(directory):
    page = Page()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/task":
                task = {}
                with contextlib.suppress(queue.Empty):
                    task = page.tasks.get(timeout=1)
                self.answer("application/json", json.dumps(task).encode())
            elif self.path in ("/chromium.mjs", "/talk.mjs"):
                self.answer("text/javascript", (HERE / self.path[1:]).read_bytes())
            elif self.path == "/":
                self.answer("text/html", PAGE)
            else:
                self.send_error(404)

        def do_POST(self):
            page.results.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer("text/plain", b"")

        def answer(self, kind, octets):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the page may be gone by now
                self.wfile.write(octets)

        def log_message(self, *_):
            pass

    log = directory / "chromium.log"
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        profile = f"--user-data-dir={directory / 'profile'}"
        home = {**os.environ, "HOME": str(directory)}
        with process([*COMMAND, LOOPBACK_ONLY, profile, url], log, env=home) as page.running:
            yield page
        if page.running.returncode not in (0, -15):
            print(f"the browser ended with {page.running.returncode}: {tail(log)}")
        server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
