#!/usr/bin/env python3
"""What Autobahn does not ask of the server that COMMAND... starts: `check.py COMMAND...`.

A message that takes many turns comes back at once; who opens no connection in time is told so; a signal ends the
server in an orderly way.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

SIZE = 16 << 20
COUNT = 50
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
GOING_AWAY = b"\x88\x02\x03\xe9"


def main():
    command = [*sys.argv[1:], "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        took = echo_at_once(port)
        print(f"ok    {SIZE >> 20} MiB came back after {took:.2f} s")
        took = late(port)
        print(f"ok    who said nothing had a 408 after {took:.1f} s, and the end")
        took = end(server, port)
        print(f"ok    {COUNT} connections were closed with 1001, and the server ended after {took:.2f} s")
    finally:
        server.kill()
        server.wait()


def connect(port, seconds):
    return socket.create_connection(("127.0.0.1", port), timeout=seconds)


def opened(port):
    peer = connect(port, 10)
    stream = peer.makefile("rb")
    peer.sendall(REQUEST)
    assert b" 101 " in stream.readline()
    while stream.readline() != b"\r\n":
        pass
    return peer, stream


def echo_at_once(port):
    payload = os.urandom(SIZE)
    peer, stream = opened(port)
    began = time.monotonic()
    length = struct.pack(">Q", SIZE)
    # With the key 0 the octets are as they are.
    frame = b"\x82\xff" + length + bytes(4) + payload
    threading.Thread(target=peer.sendall, args=(frame,), daemon=True).start()
    assert stream.read(10) == b"\x82\x7f" + length
    assert stream.read(SIZE) == payload
    return time.monotonic() - began


def late(port):
    began = time.monotonic()
    with connect(port, 20) as peer:
        answer = peer.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 408 "), answer
    took = time.monotonic() - began
    assert 9 < took < 13, took
    return took


def end(server, port):
    peers = [opened(port) for _ in range(COUNT)]
    silent = connect(port, 10)
    time.sleep(0.2)
    began = time.monotonic()
    server.send_signal(signal.SIGTERM)
    for peer, stream in peers:
        assert stream.read(4) == GOING_AWAY
        # The answer, masked with the key 0.
        peer.sendall(b"\x88\x82" + bytes(4) + GOING_AWAY[2:])
        assert stream.read() == b""
        stream.close()
        peer.close()
    assert server.wait(4) == 0
    assert silent.recv(100) == b""
    return time.monotonic() - began


if __name__ == "__main__":
    main()
