"""permessage-deflate with the Python library `websockets` as the other side.

usage: deflate_websockets.py server PROGRAM    it is the client of this echo server, which is started as needed
       deflate_websockets.py client PROGRAM    it is the server of the terminal client

Prints one line a check; the last line is `N passed, N failed`.
"""

import contextlib
import itertools
import logging
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from websockets.exceptions import NegotiationError  # noqa: E402
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Offering  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from checks import Checks, equal, text  # noqa: E402
from conversing import check_view, converse, frames  # noqa: E402
from deflate_websockets_client import client_checks  # noqa: E402
from deflate_raw import raw_checks  # noqa: E402
from loopback import echo_server, end_children_when_ended, tail  # noqa: E402
from messages import conversation  # noqa: E402
from negotiation import Expected, Offer, Ours, answer, check_traffic  # noqa: E402
from tap import LIMIT, Tap  # noqa: E402
from traffic import Traffic, read_checks  # noqa: E402

QUIET = {"proxy": None, "max_size": None, "ping_interval": None}
TAKEOVERS = list(itertools.product((False, True), repeat=2))
BITS = range(8, 16)

# Each of these conversations has its 300 messages.
CONVERSATIONS = [
    *((Ours(), Offer(*takeover)) for takeover in TAKEOVERS),
    (Ours(), Offer(client_bits=None)),
    (Ours(), Offer(server_bits=8, client_bits=9)),
    (Ours(server_window=9), Offer()),
    (Ours(client_window=9), Offer()),
    *((Ours(takeover=True), Offer(*takeover)) for takeover in TAKEOVERS),
    (Ours(takeover=True), Offer(client_bits=None)),
    *((Ours(takeover=True), Offer(server_bits=bits)) for bits in BITS),
    # Its zlib cannot compress with 8.
    *((Ours(takeover=True), Offer(client_bits=bits)) for bits in BITS if bits > 8),
    (Ours(takeover=True), Offer(True, False, 10, 12)),
    (Ours(takeover=True), Offer(False, True, 9, 9)),
    *((Ours(takeover=True, server_window=bits), Offer()) for bits in BITS if bits < 15),
    *((Ours(takeover=True, client_window=bits), Offer()) for bits in BITS if 8 < bits < 15),
    (Ours(takeover=True, server_window=8, client_window=9), Offer(server_bits=12, client_bits=12)),
    (Ours(deflate=False), Offer()),
]

# Every offer that this library can make, with few messages.
OFFERS = [
    Offer(*takeover, server, client)
    for takeover in TAKEOVERS
    for server in (None, *BITS)
    for client in (None, True, *range(9, 16))
]


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
    for ours, offer in CONVERSATIONS:
        checks.run(f"{ours}: {offer}", check_server, program, log, ours, offer)
    for ours in (Ours(), Ours(takeover=True), Ours(takeover=True, server_window=11, client_window=10)):
        checks.run(f"{ours}: {len(OFFERS)} different offers", check_offers, program, log, ours)
    checks.run("--client-window 8 is what this library cannot do, and says", check_refused, program, log)
    with started(program, log, Ours(takeover=True)) as port:
        raw_checks(checks, lambda clean: connected(port, Offer()), masked=True)


@contextlib.contextmanager
def started(program, log, ours):
    """The port of an echo server, which must not have ended or panicked in the end."""
    with echo_server([program, *ours.options()], log) as (server, address):
        equal(address is not None, True, "it prints `listening on ADDRESS:PORT`")
        yield int(address.rsplit(":", 1)[1])
        if server.poll() is not None or "panicked" in log.read_text(errors="replace"):
            raise AssertionError(f"the server: {tail(log)}")


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
        for offer in OFFERS:
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
