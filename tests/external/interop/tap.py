"""A forwarder on loopback that keeps what crosses it, so that the checks need not believe either side."""

import contextlib
import queue
import socket
import threading

LIMIT = 20  # seconds for anything that is waited for


class Tap:
    """Listens on `port`, passes every connection on to another port, and keeps the octets of both directions."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.recordings = queue.Queue()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def recording(self):
        """The oldest connection that was not asked for yet, once it has ended."""
        recording = self.recordings.get(timeout=LIMIT)
        for thread in recording.threads:
            thread.join(LIMIT)
            if thread.is_alive():
                raise AssertionError("the connection did not end")
        return recording

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.recordings.put(Recording(self.listener.accept()[0], self.target))


class Recording:
    """What one connection carried: `sent` by the client, `received` by it."""

    def __init__(self, client, target):
        self.sent, self.received = bytearray(), bytearray()
        server = socket.create_connection(("127.0.0.1", target), timeout=LIMIT)
        for end in (client, server):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ways = [(client, server, self.sent), (server, client, self.received)]
        self.threads = [threading.Thread(target=self._pass, args=way, daemon=True) for way in ways]
        self.open_ways = len(ways)
        self.lock = threading.Lock()
        for thread in self.threads:
            thread.start()

    def _pass(self, source, sink, kept):
        try:
            while octets := source.recv(1 << 16):
                kept += octets
                sink.sendall(octets)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            # One end is gone; the other is to see that.
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        with self.lock:
            self.open_ways -= 1
            if self.open_ways == 0:
                source.close()
                sink.close()
