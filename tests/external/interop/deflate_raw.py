"""Compressed messages that no library would send so, written past it: what must be read, and what must fail."""

import json
import zlib

from websockets.exceptions import ConnectionClosed

from checks import equal, frame
from tap import LIMIT

HELLO = bytes.fromhex("f248cdc9c90700")  # RFC 7692 section 7.2.3.1
HELLO_AGAIN = bytes.fromhex("f200110000")  # section 7.2.3.2, by reference
HELLO_STORED = bytes.fromhex("000500faff48656c6c6f00")  # section 7.2.3.3
HELLO_FINAL = bytes.fromhex("f348cdc9c9070000")  # section 7.2.3.4, BFINAL set
HELLO_BLOCKS = bytes.fromhex("f2480500 0000ffff cac9c90700")  # section 7.2.3.5
RECORDS = json.dumps([{"number": at, "square": at * at} for at in range(100)])
MIB = 1 << 20


def raw_checks(checks, echoing, masked):
    """`echoing(clean)` gives a connection of the library whose other end echoes and keeps all contexts."""
    for name, frames, echoes in legal():
        checks.run(f"raw: {name}", check_legal, echoing, masked, frames, echoes)
    for name, code, frames in illegal():
        checks.run(f"raw: {name}: Close {code}", check_illegal, echoing, masked, code, frames)


def deflated(data, level=9, wbits=-15, memory=8, strategy=zlib.Z_DEFAULT_STRATEGY, encoder=None):
    encoder = encoder or zlib.compressobj(level, zlib.DEFLATED, wbits, memory, strategy)
    return (encoder.compress(data) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4]


def legal():
    """(name, frames as (first byte, payload), echoes)"""
    records = deflated(RECORDS.encode())
    last = len(records) - 1
    octets = [(0x80 * (at == last) | 0x41 * (at == 0), records[at : at + 1]) for at in range(last + 1)]
    kept, many = zlib.compressobj(wbits=-15), [f"Hello {at}" for at in range(1000)]
    hello = [(0xC1, HELLO)]
    return [
        ("Hello, and again by reference", [*hello, (0xC1, HELLO_AGAIN)], ["Hello"] * 2),
        ("a plain message leaves the context", [*hello, (0x81, b"x"), (0xC1, HELLO_AGAIN)], ["Hello", "x", "Hello"]),
        ("a stored block", [(0xC2, HELLO_STORED), (0xC1, HELLO_AGAIN)], [b"Hello", "Hello"]),
        ("a final block", [(0xC1, HELLO_FINAL), (0xC1, HELLO_AGAIN)], ["Hello"] * 2),
        ("two blocks in fragments", [(0x41, HELLO_BLOCKS[:3]), (0x00, b""), (0x80, HELLO_BLOCKS[3:])], ["Hello"]),
        ("the empty message as one octet", [(0xC1, b"\x00"), (0xC2, b"\x00")], ["", b""]),
        ("each octet in its own frame", octets, [RECORDS]),
        ("pings between compressed fragments", [*octets[:9], (0x89, b"now"), *octets[9:]], [RECORDS]),
        (
            "every level, memory and strategy of zlib",
            [
                (0xC1, deflated(RECORDS.encode(), level, -15, memory, strategy))
                for level in range(10)
                for memory in (1, 9)
                for strategy in range(5)
            ],
            [RECORDS] * 100,
        ),
        ("1 MiB that shrinks to a thousandth", [(0xC2, deflated(bytes(MIB)))], [bytes(MIB)]),
        (
            "a thousand messages in one context",
            [(0xC1, deflated(message.encode(), encoder=kept)) for message in many],
            many,
        ),
    ]


def illegal():
    """(name, code, frames)"""
    return [
        ("RSV1 on a ping", 1002, [(0xC9, b"x")]),
        ("RSV1 on a Close", 1002, [(0xC8, b"\x03\xe8")]),
        ("RSV1 on a continuation", 1002, [(0x41, HELLO[:3]), (0xC0, HELLO[3:])]),
        ("RSV2 on a compressed message", 1002, [(0xE1, HELLO)]),
        ("a block of the type that does not exist", 1007, [(0xC1, b"\x06")]),
        ("a reference to nothing", 1007, [(0xC1, HELLO_AGAIN)]),
        ("a message that is cut off", 1007, [(0xC1, HELLO[:3])]),
        ("a stored block whose lengths differ", 1007, [(0xC1, b"\x00\x05\x00\xfa\xfeHello\x00")]),
        ("compressed text that is not UTF-8", 1007, [(0xC1, deflated(b"\xce\xba\xed\xa0\x80"))]),
        ("compressed text that ends within a character", 1007, [(0xC1, deflated("\u20ac".encode()[:2]))]),
        ("64 MiB and an octet, in 65 KB", 1009, [(0xC2, deflated(bytes(64 * MIB + 1)))]),
    ]


def check_legal(echoing, masked, frames, echoes):
    with echoing(True) as peer:
        for first, payload in frames:
            peer.socket.sendall(frame(first, payload, masked))
        for at, echo in enumerate(echoes):
            equal(peer.recv(timeout=LIMIT), echo, f"echo {at}")


def check_illegal(echoing, masked, code, frames):
    with echoing(False) as peer:
        for first, payload in frames:
            peer.socket.sendall(frame(first, payload, masked))
        try:
            got = peer.recv(timeout=LIMIT)
        except ConnectionClosed as closed:
            equal(closed.rcvd and closed.rcvd.code, code, "code of the Close")
        else:
            raise AssertionError(f"a message came: {got[:80]!r}")
