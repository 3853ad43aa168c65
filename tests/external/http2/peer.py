#!/usr/bin/env python3
"""The other end, by `h2` and `wsproto`: an echo server, and a client that checks one.

usage: peer.py serve
       peer.py ask ADDRESS:PORT [--upgrade]     `--upgrade` over HTTP/1.1
"""

import argparse
import collections
import socket
import sys
import threading
import time

import h2.config
import h2.connection
import h2.events
import wsproto
from h2.settings import SettingCodes, Settings
from wsproto.connection import Connection, ConnectionType
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20)
CONNECT = SettingCodes.ENABLE_CONNECT_PROTOCOL


class Http2:
    """A connection of HTTP/2 on a socket that blocks."""

    def __init__(self, transport, client):
        self.transport, self.came = transport, collections.deque()
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=client, header_encoding="utf-8"))
        if not client:
            self.http.local_settings = Settings(client=False, initial_values={CONNECT: 1})
        self.http.initiate_connection()
        self.flush()

    def flush(self):
        self.transport.sendall(self.http.data_to_send())

    def next(self):
        """The next event; `None` at the end of the transport."""
        while not self.came:
            data = self.transport.recv(65536)
            if not data:
                return None
            self.came.extend(self.http.receive_data(data))
            for event in self.came:
                if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.flush()
        return self.came.popleft()

    def until(self, kind, stream=None):
        """The next event of this kind, of this stream. What others do is passed over."""
        while True:
            event = self.next()
            assert event is not None, f"the end before {kind.__name__}"
            if stream not in (None, getattr(event, "stream_id", None)):
                continue
            if isinstance(event, kind):
                return event
            assert not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)), event

    def put(self, stream, data, end=False):
        """All of it; what comes meanwhile is kept."""
        kept = []
        while data:
            room = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size)
            if room > 0:
                self.http.send_data(stream, data[:room])
                data = data[room:]
                self.flush()
            else:
                kept.append(self.next())
                assert kept[-1] is not None, "the end of the transport"
        if end:
            self.http.end_stream(stream)
            self.flush()
        self.came.extendleft(reversed(kept))


class Stream:
    """A client's WebSocket on a stream of its own."""

    def __init__(self, connection, authority, more=()):
        self.connection, self.extension = connection, PerMessageDeflate()
        self.id = connection.http.get_next_available_stream_id()
        head = [
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"),
            (":authority", authority), ("sec-websocket-version", "13"),
            ("sec-websocket-extensions", f"{self.extension.name}; {self.extension.offer()}"), *more,
        ]
        connection.http.send_headers(self.id, head)
        connection.flush()
        head = dict(connection.until(h2.events.ResponseReceived, self.id).headers)
        self.status, agreed = int(head[":status"]), head.get("sec-websocket-extensions")
        if agreed:
            self.extension.finalize(agreed)
        self.deflates = bool(agreed)
        self.socket = Connection(ConnectionType.CLIENT, extensions=[self.extension] if agreed else [])

    def send(self, event):
        self.connection.put(self.id, self.socket.send(event))

    def feed(self):
        self.socket.receive_data(self.connection.until(h2.events.DataReceived, self.id).data)

    def end(self):
        self.connection.until(h2.events.StreamEnded, self.id)


class Upgraded:
    """The same over HTTP/1.1."""

    def __init__(self, transport, authority):
        self.transport, self.socket = transport, wsproto.WSConnection(ConnectionType.CLIENT)
        self.send(Request(host=authority, target="/", extensions=[PerMessageDeflate()]))
        self.feed()
        accepted = next(iter(self.socket.events()))
        assert isinstance(accepted, AcceptConnection), accepted
        self.deflates = bool(accepted.extensions)

    def send(self, event):
        self.transport.sendall(self.socket.send(event))

    def feed(self):
        data = self.transport.recv(65536)
        assert data, "the end of the transport"
        self.socket.receive_data(data)

    def end(self):
        assert not self.transport.recv(1), "there is no end"


def receive(stream):
    parts = []
    while True:
        for it in stream.socket.events():
            if isinstance(it, CloseConnection):
                return it
            if isinstance(it, Ping):
                stream.send(it.response())
                continue
            parts.append(bytes(it.data, "utf-8") if isinstance(it.data, str) else bytes(it.data))
            if it.message_finished:
                return b"".join(parts)
        stream.feed()


def check(stream):
    for size in SIZES:
        payload = bytes(at % 251 for at in range(size))
        stream.send(BytesMessage(data=payload))
        assert receive(stream) == payload, f"{size} octets did not come back"
    stream.send(CloseConnection(code=1000))
    closed = receive(stream)
    assert isinstance(closed, CloseConnection) and closed.code == 1000, closed
    stream.end()
    print(f"{len(SIZES)} messages came back, compression: {stream.deflates}, closed with {closed.code} and the end")


def ask(options):
    host, port = options.address.rsplit(":", 1)
    transport = socket.create_connection((host, int(port)), timeout=20)
    if options.upgrade:
        return check(Upgraded(transport, options.address))
    connection = Http2(transport, client=True)
    changed = connection.until(h2.events.RemoteSettingsChanged).changed_settings
    assert changed[CONNECT].new_value == 1, changed
    foreign = Stream(connection, options.address, [("origin", "http://evil.example")])
    assert foreign.status == 403, foreign.status
    stream = Stream(connection, options.address, [("origin", f"http://{options.address}")])
    assert stream.status == 200, stream.status
    check(stream)


def serve(_):
    listener = socket.create_server(("127.0.0.1", 0))
    print("listening on {}:{}".format(*listener.getsockname()), flush=True)
    while True:
        threading.Thread(target=echo, args=[listener.accept()[0]], daemon=True).start()


def echo(transport):
    """One stream, with SETTINGS that come late."""
    transport.settimeout(20)
    time.sleep(0.2)
    connection = Http2(transport, client=False)
    asked = connection.until(h2.events.RequestReceived)
    head, stream, extension = dict(asked.headers), asked.stream_id, PerMessageDeflate()
    assert (head[":method"], head[":protocol"]) == ("CONNECT", "websocket"), head
    assert not {"connection", "upgrade", "host", "sec-websocket-key"} & set(head), head
    offered, fields = head.get("sec-websocket-extensions"), [(":status", "200")]
    if offered:
        agreed = extension.accept(offered)
        value = extension.name if agreed is True else f"{extension.name}; {agreed}"
        fields.append(("sec-websocket-extensions", value.rstrip("; ")))
    connection.http.send_headers(stream, fields)
    connection.flush()
    socket_, parts = Connection(ConnectionType.SERVER, extensions=[extension] if offered else []), []
    while True:
        socket_.receive_data(connection.until(h2.events.DataReceived).data)
        for it in socket_.events():
            if isinstance(it, CloseConnection):
                connection.put(stream, socket_.send(it.response()), end=True)
                while connection.next():
                    pass
                return
            parts.append(it.data)
            if it.message_finished:
                whole = ("" if isinstance(it, TextMessage) else b"").join(parts)
                parts = []
                connection.put(stream, socket_.send(type(it)(data=whole)))


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ways = options.add_subparsers(required=True)
    way = ways.add_parser("serve")
    way.set_defaults(run=serve)
    way = ways.add_parser("ask")
    way.add_argument("address")
    way.add_argument("--upgrade", action="store_true")
    way.set_defaults(run=ask)
    options = options.parse_args()
    options.run(options)


if __name__ == "__main__":
    sys.exit(main())
