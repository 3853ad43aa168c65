"""A list of checks that cannot lose one silently, and what they send."""

import os
import sys
import traceback

MIB = 1 << 20
SIZES = (0, 1, 125, 126, 65535, 65536)

# Frames that no endpoint may send, with the code of the Close that is due: (name, code, first byte, payload, options).
# The options change the header: `masked` as the other role would, `length` another announced length, `form` another
# length form (RFC 6455 section 5.2).
BAD_FRAMES = [
    ("a reserved bit", 1002, 0xC1, b"x", {}),
    ("a reserved data opcode", 1002, 0x83, b"x", {}),
    ("a reserved control opcode", 1002, 0x8B, b"x", {}),
    ("a fragmented ping", 1002, 0x09, b"x", {}),
    ("a ping of 126 bytes", 1002, 0x89, bytes(126), {}),
    ("a continuation of nothing", 1002, 0x80, b"x", {}),
    ("the masking of the other role", 1002, 0x81, b"x", {"masked": "wrong"}),
    ("a length longer than its form needs", 1002, 0x82, b"x", {"form": 126}),
    ("a length with the top bit set", 1002, 0x82, b"", {"length": 1 << 63}),
    ("a Close of one byte", 1002, 0x88, b"\x03", {}),
    ("a Close with 1005", 1002, 0x88, (1005).to_bytes(2, "big"), {}),
    ("a Close with 2999", 1002, 0x88, (2999).to_bytes(2, "big"), {}),
    ("text that is not UTF-8", 1007, 0x81, b"\xce\xba\xed\xa0\x80", {}),
    ("a fragment that cannot become UTF-8", 1007, 0x01, b"\xf4\x90", {}),
    ("a Close whose reason is not UTF-8", 1007, 0x88, b"\x03\xe8\xff", {}),
    ("a length beyond every limit", 1009, 0x82, b"", {"length": 1 << 62}),
]

CLOSES = [(1000, "bye"), (1001, "going away"), (3000, "żegnaj"), (4999, "x" * 123), (1000, "")]


def text(size):
    """UTF-8 text of exactly `size` bytes with characters of one to four bytes."""
    unit = "a\u00e9\u20ac\U0001f600"
    whole = unit * (size // len(unit.encode()))
    return whole + "z" * (size - len(whole.encode()))


def frame(first, payload, masked, length=None, form=None):
    """A frame as bytes, right or wrong."""
    length = len(payload) if length is None else length
    form = form or (length if length < 126 else 126 if length < 1 << 16 else 127)
    extended = {126: 2, 127: 8}.get(form, 0)
    header = bytes([first, (0x80 if masked else 0) | form]) + (length.to_bytes(extended, "big") if extended else b"")
    if not masked:
        return header + payload
    key = os.urandom(4)
    return header + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


class Checks:
    """Runs named checks, prints one line for each, counts."""

    def __init__(self):
        self.names = []
        self.passed = 0
        self.failed = 0

    def run(self, name, body, *arguments):
        assert name not in self.names, f"two checks are called {name}"
        self.names.append(name)
        try:
            body(*arguments)
        except Exception as error:
            self.failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAIL  {name}: {type(error).__name__}: {str(error)[:300]} ({where.name}:{where.lineno})")
        else:
            self.passed += 1
            print(f"ok    {name}")
        sys.stdout.flush()

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


def equal(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {short(got)}, wanted {short(wanted)}")


def short(value):
    shown = repr(value)
    return shown if len(shown) <= 120 else f"{shown[:80]}… ({len(shown)} characters)"
