"""What our echo servers are documented to answer, and what a conversation with compression has to show."""

from dataclasses import dataclass, field

from checks import equal
from traffic import BINARY, CLOSE, PING, PONG, TEXT, Agreed

NAME = "permessage-deflate"
THRESHOLD = 128  # octets below which our side sends a message as it is


@dataclass
class Ours:
    """How an echo server is started."""

    takeover: bool = False
    server_window: int = 15
    client_window: int = 15
    deflate: bool = True

    def options(self):
        flags = ["--takeover"] * self.takeover + ["--no-deflate"] * (not self.deflate)
        for name in ("server_window", "client_window"):
            if getattr(self, name) != 15:
                flags += [f"--{name.replace('_', '-')}", str(getattr(self, name))]
        return flags

    def __str__(self):
        return " ".join(self.options()) or "default"


@dataclass
class Offer:
    """What a client offers; for its own window `True` leaves the choice to the server."""

    server_nct: bool = False
    client_nct: bool = False
    server_bits: object = None
    client_bits: object = True

    def __str__(self):
        return join(self.server_nct, self.client_nct, self.server_bits, self.client_bits)


def join(server_nct, client_nct, server_bits, client_bits):
    """Parameters in the order in which all of these peers write them."""
    parts = [NAME]
    parts += ["server_no_context_takeover"] * server_nct + ["client_no_context_takeover"] * client_nct
    parts += [f"server_max_window_bits={server_bits}"] if server_bits else []
    if client_bits:
        parts.append("client_max_window_bits" + ("" if client_bits is True else f"={client_bits}"))
    return "; ".join(parts)


def answer(ours, offer):
    """What the server of these options answers to this offer; nothing if it declines."""
    if not ours.deflate:
        return None
    server = min(offer.server_bits or 15, ours.server_window)
    server = server if offer.server_bits or server < 15 else None
    if offer.client_bits is True:
        client = ours.client_window if ours.client_window < 15 else None
    else:
        client = offer.client_bits and min(offer.client_bits, ours.client_window)
    return join(offer.server_nct or not ours.takeover, offer.client_nct or not ours.takeover, server, client)


def canonical(answer):
    """Parameters have no order."""
    return answer and sorted(part.strip() for part in answer.split(";"))


@dataclass
class Expected:
    """What the traffic of a conversation is held against."""

    offer: str
    answer: str
    we: str  # "server" or "client"
    messages: list
    close: int = 1000
    pings: bool = True
    frames: object = None  # how many frames the peer makes of a message
    agreed: object = field(init=False)

    def __post_init__(self):
        self.agreed = None if self.answer is None else Agreed.read(self.answer)


def check_traffic(traffic, expected):
    """Both headers, every message both ways, and that compression and contexts were used as agreed and no more."""
    equal(traffic.offer, expected.offer, "the offer")
    equal(canonical(traffic.answer), canonical(expected.answer), "the answer")
    ours = traffic.server if expected.we == "server" else traffic.client
    theirs = traffic.client if expected.we == "server" else traffic.server
    check_messages(theirs, expected.messages, "sent")
    check_messages(ours, expected.messages, "echoed")
    for way in (ours, theirs):
        codes = [int.from_bytes(payload[:2], "big") for payload in way.payloads(CLOSE)]
        equal(codes, [expected.close], "codes of the Closes")
    check_pongs(theirs.payloads(PING), ours.payloads(PONG), expected)
    if expected.frames:
        wanted = [expected.frames(message) for message in expected.messages]
        equal([message.frames for message in theirs.messages], wanted, "frames of the peer's messages")
    if expected.agreed:
        check_use(ours, expected.messages, not getattr(expected.agreed, f"{expected.we}_no_context_takeover"))
        if not any(message.compressed for message in theirs.messages):
            raise AssertionError("the peer compressed nothing")
    # Without an agreement RSV1 would not have been read.


def check_messages(way, messages, what):
    equal(len(way.messages), len(messages), f"messages {what}")
    for at, (crossed, message) in enumerate(zip(way.messages, messages)):
        opcode = TEXT if isinstance(message.parts[0], str) else BINARY
        equal(crossed.opcode, opcode, f"opcode of message {at} {what}")
        if crossed.data != message.octets():
            raise AssertionError(f"message {at} {what} differs")


def check_pongs(pings, pongs, expected):
    equal(len(pings) > 0, expected.pings, "the peer pinged")
    # Only the latest Ping needs an answer (RFC 6455 section 5.5.3).
    remaining = iter(pings)
    equal(all(pong in remaining for pong in pongs), True, "every Pong answers a Ping, in order")
    equal(pongs[-1:], pings[-1:], "the last Pong")


def check_use(way, messages, takeover):
    """That our side compressed what it ought to, to much less, and with the context that it keeps."""
    plain = wire = 0
    for at, (crossed, message) in enumerate(zip(way.messages, messages)):
        if message.compressible and len(crossed.data) >= THRESHOLD:
            equal(crossed.compressed, True, f"message {at} is compressed")
            plain, wire = plain + len(crossed.data), wire + len(crossed.payload)
        elif len(crossed.data) < THRESHOLD:
            equal(crossed.compressed, False, f"message {at} of {len(crossed.data)} octets is compressed")
        # Compression that enlarges is not used where nothing but octets depend on it.
        if not takeover and len(crossed.payload) > len(crossed.data):
            raise AssertionError(f"message {at} grew from {len(crossed.data)} to {len(crossed.payload)} octets")
    if not wire < 0.6 * plain:
        raise AssertionError(f"{plain} octets of compressible messages became {wire}")
    # Without takeover nothing may refer back; the strict reader would have failed.
    if takeover and way.dependent() < 20:
        raise AssertionError(f"only {way.dependent()} messages refer to earlier ones")
