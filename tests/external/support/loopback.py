"""Processes and ports on loopback, for the runners of outside suites and peers.

Every process that is started here is ended here, by its own id.
"""

import contextlib
import queue
import signal
import socket
import subprocess
import sys
import threading
import time


def end_children_when_ended():
    """Turns SIGTERM into an exception, so that the clean-up below is not jumped over."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@contextlib.contextmanager
def process(command, log, **options):
    """Starts a process, its output in the file `log`, and ends it whatever happens."""
    with open(log, "wb") as file:
        options = {"stdin": subprocess.DEVNULL, "stdout": file, **options}
        started = subprocess.Popen(command, stderr=file, **options)
        try:
            yield started
        finally:
            end(started)


def end(started):
    if started.poll() is None:
        started.terminate()
        if wait(started, 5) is None:
            started.kill()
            started.wait()


def wait(started, seconds):
    """The exit status, or nothing when the time is up."""
    try:
        return started.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


@contextlib.contextmanager
def echo_server(command, log):
    """Starts an echo server on a port of its own choice; gives the process and its address, or nothing for the latter."""
    with process([*command, "--listen", "127.0.0.1:0"], log, stdout=subprocess.PIPE) as server:
        yield server, announced_address(server)


def announced_address(server, seconds=30):
    """What a server prints as `listening on ADDRESS:PORT`."""
    lines = queue.Queue()

    def read():
        for line in server.stdout:
            lines.put(line.decode(errors="replace").strip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    deadline = time.monotonic() + seconds
    while True:
        try:
            line = lines.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if line is None or line.startswith("listening on "):
            return line and line.split()[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port, server, seconds=30, address="127.0.0.1"):
    """Waits until something accepts connections on the port, or the server that should has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
            return True
        time.sleep(0.1)
    return False


def tail(log):
    lines = log.read_text(errors="replace").strip().splitlines()
    return " | ".join(lines[-3:]) or "it said nothing"
