#!/usr/bin/env python3
"""A message that takes the server many turns comes back at once: `large.py COMMAND...` starts the server and sends it 16 MiB."""

import os
import socket
import struct
import subprocess
import sys
import threading
import time

SIZE = 16 << 20
SECONDS = 10
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def main():
    command = [*sys.argv[1:], "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        took = echo(port)
    finally:
        server.terminate()
        server.wait()
    print(f"ok    {SIZE >> 20} MiB came back after {took:.2f} s: {' '.join(sys.argv[1:])}")


def echo(port):
    payload = os.urandom(SIZE)
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as peer:
        stream = peer.makefile("rb")
        peer.sendall(REQUEST)
        assert b" 101 " in stream.readline()
        while stream.readline() != b"\r\n":
            pass
        from_here = time.monotonic()
        length = struct.pack(">Q", SIZE)
        # With the key 0 the octets are as they are.
        sending = threading.Thread(target=peer.sendall, args=(b"\x82\xff" + length + bytes(4) + payload,), daemon=True)
        sending.start()
        assert stream.read(10) == b"\x82\x7f" + length
        assert stream.read(SIZE) == payload
        return time.monotonic() - from_here


if __name__ == "__main__":
    main()
