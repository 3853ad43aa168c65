"""What the connections with compression carry: each kind of message that a context could go wrong with."""

import base64
import json
import random
from dataclasses import dataclass

COUNT = 300
BATCH = 8  # so many are sent before their echoes are read


@dataclass
class Message:
    parts: list  # fragments, all of them text or all binary
    ping: bool = False  # one goes before each part
    compressible: bool = True

    def whole(self):
        return self.parts[0][:0].join(self.parts)

    def octets(self):
        whole = self.whole()
        return whole.encode() if isinstance(whole, str) else whole


def conversation(seed):
    """Always the same messages for the same seed."""
    source = random.Random(seed)
    messages = []
    for at in range(COUNT):
        message = LARGE[at](source) if at in LARGE else ordinary(source, at, messages)
        message.ping = at % 13 == 5
        messages.append(message)
    return messages


def huge():
    """200 KB each."""
    source = random.Random("huge")
    return [Message([records(source, 1400)[:200_000]]), Message([source.randbytes(200_000)], compressible=False)]


def to_json(messages):
    """For peers in another language."""

    def part(octets):
        return octets if isinstance(octets, str) else base64.b64encode(octets).decode()

    return json.dumps(
        [
            {"text": isinstance(message.parts[0], str), "ping": message.ping, "parts": [part(x) for x in message.parts]}
            for message in messages
        ]
    )


def ordinary(source, at, earlier):
    kind = at % 10
    if kind in (0, 8):
        return Message([record(source)])
    if kind == 1:
        return Message([records(source, 12)])
    if kind == 2:
        unit = source.choice(["a", "\u017c\u00f3\u0142w ", "\U0001f600\u20ac", "abcdefgh" * 40])
        return Message([unit * source.randrange(1, 6000 // len(unit))])
    if kind == 3:
        return Message([source.randbytes(source.randrange(2000))], compressible=False)
    if kind == 4:
        return Message([records(source, 3).encode()])
    if kind == 5:
        return Message(cut(source, records(source, 8)))
    if kind == 6:
        copied = source.choice(earlier[-20:])
        return Message(list(copied.parts), compressible=copied.compressible)
    if kind == 7:
        return Message([source.choice(["", b"", "x", b"\x00"])], compressible=False)
    return Message(cut(source, source.randbytes(700) + bytes(900) + source.randbytes(10)), compressible=False)


# Once each: 100 KB of several kinds.
LARGE = {
    50: lambda source: Message([records(source, 700)[:100_000]]),
    120: lambda source: Message([source.randbytes(100_000)], compressible=False),
    150: lambda source: Message([bytes(100_000)]),
    # Repeats from as far back as the largest window reaches, and the smaller do not.
    200: lambda source: Message([source.randbytes(25_000) * 4], compressible=False),
    260: lambda source: Message(cut(source, "\u20ac, " * 20_000)),
}


def record(source):
    value = {
        "type": source.choice(["trade", "quote", "status"]),
        "symbol": source.choice(["ALPHA", "BETA", "GAMMA", "DELTA"]),
        "price": source.randrange(10_000) / 100,
        "size": source.randrange(1000),
        "note": source.choice(["", "za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 ja\u017a\u0144", "\U0001f600"]),
        "id": source.getrandbits(64),
    }
    return json.dumps(value, ensure_ascii=source.random() < 0.5)


def records(source, count):
    return "[" + ",\n".join(record(source) for _ in range(count)) + "]"


def cut(source, whole):
    """Fragments, some of them empty."""
    at = sorted(source.randrange(len(whole) + 1) for _ in range(source.randrange(1, 6)))
    at.append(source.choice(at))
    at.sort()
    return [whole[a:b] for a, b in zip([0, *at], [*at, len(whole)])]
