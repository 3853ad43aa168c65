"""Reads a recorded connection by RFC 6455 and RFC 7692, strictly, with zlib as the only help."""

import zlib
from dataclasses import dataclass, field

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
TAIL = b"\x00\x00\xff\xff"


@dataclass
class Message:
    opcode: int
    compressed: bool
    frames: int = 0
    payload: bytes = b""  # as it crossed
    data: bytes = b""  # as it was meant
    dependent: bool = False  # it refers to earlier messages


@dataclass
class Way:
    """What went one way."""

    messages: list = field(default_factory=list)
    controls: list = field(default_factory=list)  # (opcode, payload)

    def payloads(self, opcode):
        return [payload for control, payload in self.controls if control == opcode]

    def dependent(self):
        return sum(message.dependent for message in self.messages)


@dataclass
class Agreed:
    """The parameters of an answer (RFC 7692 section 7.1)."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15

    @classmethod
    def read(cls, answer):
        name, *parameters = [part.strip() for part in answer.split(";")]
        if name != "permessage-deflate":
            raise AssertionError(f"the answer is {answer}")
        agreed = cls()
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key not in agreed.__dict__ or key.endswith("bits") != bool(value):
                raise AssertionError(f"the answer is {answer}")
            setattr(agreed, key, int(value) if value else True)
        return agreed


class Traffic:
    """A connection from the opening handshake to the end; raises where it breaks a rule."""

    def __init__(self, recording):
        request, sent = bytes(recording.sent).split(b"\r\n\r\n", 1)
        response, received = bytes(recording.received).split(b"\r\n\r\n", 1)
        self.offer = field_value(request)
        self.answer = field_value(response)
        agreed = None if self.answer is None else Agreed.read(self.answer)
        self.agreed = agreed
        takeover = agreed and not agreed.client_no_context_takeover
        self.client = read_way(sent, True, agreed and Inflating(takeover, agreed.client_max_window_bits))
        takeover = agreed and not agreed.server_no_context_takeover
        self.server = read_way(received, False, agreed and Inflating(takeover, agreed.server_max_window_bits))


def field_value(head, name=b"sec-websocket-extensions"):
    """All values of a field, or nothing."""
    fields = [line.split(b":", 1) for line in head.split(b"\r\n")[1:]]
    values = [value.strip().decode() for key, value in fields if key.lower() == name]
    return ", ".join(values) if values else None


def read_way(octets, masked, inflating):
    way, message, at = Way(), None, 0
    while at < len(octets):
        fin, rsv1, opcode, payload, at = read_frame(octets, at, masked)
        if opcode >= 8:
            if not fin or rsv1 or len(payload) > 125:
                raise AssertionError(f"a control frame with FIN {fin}, RSV1 {rsv1}, {len(payload)} octets")
            way.controls.append((opcode, payload))
            continue
        if (opcode == 0) != (message is not None):
            raise AssertionError("a continuation of nothing, or a message inside another")
        if rsv1 and (opcode == 0 or inflating is None):
            raise AssertionError("RSV1 on a continuation, or without an agreement")
        message = message or Message(opcode, rsv1)
        message.frames += 1
        message.payload += payload
        if fin:
            message.data = message.payload
            if message.compressed:
                message.data, message.dependent = inflating.inflate(message.payload)
            if message.opcode == TEXT:
                message.data.decode()
            way.messages.append(message)
            message = None
    return way


def read_frame(octets, at, masked):
    first, second = octets[at], octets[at + 1]
    if first & 0x30 or (first & 0x0F) not in (0, TEXT, BINARY, CLOSE, PING, PONG):
        raise AssertionError(f"a frame begins with {first:#x}")
    if bool(second & 0x80) != masked:
        raise AssertionError("a frame is masked as the other role would")
    at, length = at + 2, second & 0x7F
    extended = {126: 2, 127: 8}.get(length, 0)
    if extended:
        length = int.from_bytes(octets[at : at + extended], "big")
    at += extended
    key = octets[at : at + 4] if masked else b""
    at += len(key)
    payload = octets[at : at + length]
    if len(payload) != length:
        raise AssertionError("the connection ended within a frame")
    if masked and length:
        stream = (key * (length // 4 + 1))[:length]
        payload = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(length, "big")
    return bool(first & 0x80), bool(first & 0x40), first & 0x0F, payload, at + length


class Inflating:
    """Inflates with no more history than was agreed: beyond it, zlib says `invalid distance too far back`."""

    def __init__(self, takeover, bits):
        self.takeover = takeover
        self.bits = bits
        self.decoder = zlib.decompressobj(-bits)

    def inflate(self, payload):
        """The message, and whether it refers to an earlier one."""
        if not self.takeover:
            self.decoder = zlib.decompressobj(-self.bits)
        return self._inflate(payload), self.takeover and refers_back(payload)

    def _inflate(self, payload):
        # What one call puts out counts as history for zlib, however much it is. In steps this small the window is
        # held to within a 64th.
        step = max(1, (1 << self.bits) // 64)
        octets, data = payload + TAIL, bytearray()
        for at in range(0, len(octets), 256):
            piece = octets[at : at + 256]
            while piece or len(got) == step:
                got = self.decoder.decompress(piece, step)
                data += got
                piece = self.decoder.unconsumed_tail
        if self.decoder.eof:
            raise AssertionError("a final block, which these peers have no reason to send")
        return bytes(data)


def refers_back(payload):
    try:
        zlib.decompressobj(-15).decompress(payload + TAIL)
    except zlib.error:
        return True
    return False


def read_checks(checks):
    """That the reader above sees what it is there for."""
    checks.run("the reader sees a window that is too large", check_reader, 12, 9, True)
    checks.run("the reader sees a context that was to be dropped", check_reader, 12, 12, False)


def check_reader(used, agreed, takeover):
    far = bytes(at % 251 for at in range(3)) + bytes(at * at % 251 for at in range(2500))
    encoder = zlib.compressobj(wbits=-used)
    payloads = [(encoder.compress(octets) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4] for octets in (far, far)]
    reader = Inflating(True, used)
    if [reader.inflate(payload) for payload in payloads] != [(far, False), (far, True)]:
        raise AssertionError("what is right is not read")
    reader = Inflating(takeover, agreed)
    try:
        for payload in payloads:
            reader.inflate(payload)
    except zlib.error as error:
        if "too far back" not in str(error):
            raise
    else:
        raise AssertionError("it was read")
