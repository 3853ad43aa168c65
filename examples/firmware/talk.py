"""The Python library `websockets` as the client of the board.

usage: talk.py PORT

Prints one line of JSON, what was checked and what was wrong with it, waits for a line of input, closes, and prints another.
"""

import json
import sys

from websockets.sync.client import connect

TIME_LIMIT = 20  # seconds for each answer


def main():
    port = sys.argv[1]
    with connect(f"ws://127.0.0.1:{port}/echo", proxy=None, ping_interval=None, max_size=None) as peer:
        tell(
            {
                "the handshake negotiates nothing": fault(peer.protocol.extensions, []),
                "text comes back": echoed(peer, "gr\u00fc\u00dfe \U0001f980"),
                "an empty message comes back": echoed(peer, ""),
                "4 KiB come back": echoed(peer, bytes(range(256)) * 16),
                "70,000 octets come back": echoed(peer, b"0123456789" * 7000),
                "a fragmented message comes back": fragmented(peer),
                "a Ping is answered": fault(peer.ping(b"are you there?").wait(TIME_LIMIT), True),
            }
        )
        sys.stdin.readline()
        peer.close(1001, "going home")
        tell(
            {
                "the Close comes back": fault(peer.close_code, 1001),
                "without a reason": fault(peer.close_reason, ""),
            }
        )


def echoed(peer, message):
    peer.send(message)
    return fault(peer.recv(TIME_LIMIT), message)


def fragmented(peer):
    parts = ["one ", "two ", "\u20ac" * 300, "", " three"]
    peer.send(parts)
    return fault(peer.recv(TIME_LIMIT), "".join(parts))


def fault(found, wanted):
    return "" if found == wanted else f"{found!r:.100}"


def tell(checks):
    print(json.dumps(checks), flush=True)


main()
