"""permessage-deflate with the Python library `websockets` as the other side.

usage: deflate_websockets.py server PROGRAM    it is the client of this echo server, which is started as needed
       deflate_websockets.py client PROGRAM    it is the server of the terminal client

Prints one line a check; the last line is `N passed, N failed`.
"""

import contextlib
import logging
import sys
import tempfile
from pathlib import Path

from websockets.exceptions import NegotiationError
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Offering
from websockets.sync.client import connect

from checks import Checks, equal, text
from conversing import check_view, converse, frames
from deflate_websockets_client import client_checks
from deflate_raw import raw_checks
from messages import conversation
from negotiation import Expected, Offer, Ours, answer, check_traffic
from programs import end_children_when_ended, offers, server_conversations, started
from tap import LIMIT, Tap
from traffic import Traffic, read_checks

QUIET = {"proxy": None, "max_size": None, "ping_interval": None}
WIDE = range(9, 16)  # what the library's zlib compresses with


def main():
    mode, program = sys.argv[1:]
    end_children_when_ended()
    # What the peer logs about the faults that it is made to commit is no news.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    checks = Checks()
    read_checks(checks)
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        server_checks(checks, program, log) if mode == "server" else client_checks(checks, program, log)
    return checks.finish()


def server_checks(checks, program, log):
    for ours, offer in server_conversations(WIDE):
        checks.run(f"{ours}: {offer}", check_server, program, log, ours, offer)
    for ours in (Ours(), Ours(takeover=True), Ours(takeover=True, server_window=11, client_window=10)):
        checks.run(f"{ours}: {len(offers(WIDE))} different offers", check_offers, program, log, ours)
    checks.run("--client-window 8 is what this library cannot do, and says", check_refused, program, log)
    with started(program, log, Ours(takeover=True)) as port:
        raw_checks(checks, lambda clean: connected(port, Offer()), masked=True)


def offering(offer):
    return Offering(offer.server_nct, offer.client_nct, offer.server_bits, offer.client_bits)


@contextlib.contextmanager
def connected(port, offer):
    """A connection of the library's client."""
    with connect(f"ws://127.0.0.1:{port}/", compression=None, extensions=[offering(offer)], **QUIET) as peer:
        yield peer


def check_server(program, log, ours, offer):
    messages = conversation(f"{ours}: {offer}")
    with started(program, log, ours) as port, Tap(port) as tap:
        with connected(tap.port, offer) as peer:
            converse(peer, messages)
            view = peer.protocol.extensions
        traffic = Traffic(tap.recording())
    expected = Expected(str(offer), answer(ours, offer), "server", messages, frames=frames)
    check_traffic(traffic, expected)
    check_view(view, traffic.agreed, offer.client_nct, offer.client_bits)


def check_offers(program, log, ours):
    with started(program, log, ours) as port:
        for offer in offers(WIDE):
            with connected(port, offer) as peer:
                fields = peer.response.headers.get_all("Sec-WebSocket-Extensions")
                equal(fields, [answer(ours, offer)], f"the answer to {offer}")
                for message in ("Hello", text(1000), text(1000), bytes(1000), "Hello"):
                    peer.send(message)
                    equal(peer.recv(timeout=LIMIT), message, f"the echo with {offer}")


def check_refused(program, log):
    with started(program, log, Ours(client_window=8)) as port:
        try:
            with connected(port, Offer()):
                raise AssertionError("it connected")
        except NegotiationError as error:
            equal("('client_max_window_bits', '8')" in str(error), True, f"it says what it cannot do: {error}")
        # The server goes on.
        with connect(f"ws://127.0.0.1:{port}/", compression=None, **QUIET) as peer:
            peer.send("Hello")
            equal(peer.recv(timeout=LIMIT), "Hello", "the echo without compression")


if __name__ == "__main__":
    sys.exit(main())
