"""Our programs under test: the echo servers and the terminal client."""

import contextlib
import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from checks import equal  # noqa: E402
# The scripts take some of these from here, where the path is known.
from loopback import echo_server, end, end_children_when_ended, process, tail  # noqa: E402, F401
from negotiation import NAME, Offer, Ours  # noqa: E402
from tap import LIMIT  # noqa: E402

TAKEOVERS = list(itertools.product((False, True), repeat=2))
BITS = range(8, 16)
FREE = Offer(client_bits=None)  # as the settings of a server: whatever the client offers


@contextlib.contextmanager
def started(program, log, ours):
    """The port of an echo server, which must not have ended or panicked in the end."""
    with echo_server([program, *ours.options()], log) as (server, address):
        equal(address is not None, True, "it prints `listening on ADDRESS:PORT`")
        yield int(address.rsplit(":", 1)[1])
        if server.poll() is not None or "panicked" in log.read_text(errors="replace"):
            raise AssertionError(f"the server: {tail(log)}")


@contextlib.contextmanager
def echoing_client(program, log, options, port, clean=True):
    """Our client while it echoes; whoever uses it closes the connection, with 1000 if all is well."""
    with process([program, "--echo", *options, f"ws://127.0.0.1:{port}/"], log) as client:
        yield
        equal(client.wait(LIMIT), 0 if clean else 1, f"exit status, after {tail(log)}")
        if clean:
            equal(tail(log), "closed 1000", "the client's report")


def server_conversations(client_bits):
    """How our server is started and what is offered; `client_bits` are the windows that the peer compresses with."""
    chosen = [bits for bits in client_bits if bits < 15]
    return [
        *((Ours(), Offer(*takeover)) for takeover in TAKEOVERS),
        (Ours(), Offer(client_bits=None)),
        (Ours(), Offer(server_bits=8, client_bits=9)),
        (Ours(server_window=9), Offer()),
        (Ours(client_window=9), Offer()),
        *((Ours(takeover=True), Offer(*takeover)) for takeover in TAKEOVERS),
        (Ours(takeover=True), Offer(client_bits=None)),
        *((Ours(takeover=True), Offer(server_bits=bits)) for bits in BITS),
        *((Ours(takeover=True), Offer(client_bits=bits)) for bits in client_bits),
        (Ours(takeover=True), Offer(True, False, 10, 12)),
        (Ours(takeover=True), Offer(False, True, 9, 9)),
        *((Ours(takeover=True, server_window=bits), Offer()) for bits in BITS if bits < 15),
        *((Ours(takeover=True, client_window=bits), Offer()) for bits in chosen),
        (Ours(takeover=True, server_window=8, client_window=9), Offer(server_bits=12, client_bits=12)),
        (Ours(deflate=False), Offer()),
    ]


def offers(client_bits):
    """Every offer that a peer can make which compresses with these windows."""
    windows = itertools.product((None, *BITS), (None, True, *client_bits))
    return [Offer(*takeover, *bits) for takeover, bits in itertools.product(TAKEOVERS, windows)]


def settings(server_bits):
    """Settings of a peer's server, which decide alone against the default offer of our client."""
    return [
        *(Offer(*takeover, client_bits=None) for takeover in TAKEOVERS),
        *(Offer(server_bits=bits, client_bits=None) for bits in server_bits),
        *(Offer(client_bits=bits) for bits in BITS),
        Offer(True, False, 9, 8),
        Offer(False, True, 9, 9),
        Offer(False, False, 12, 12),
        Offer(True, True, 15, 15),
    ]


def all_settings(server_bits):
    windows = itertools.product((None, *server_bits), (None, *BITS))
    return [Offer(*takeover, *bits) for takeover, bits in itertools.product(TAKEOVERS, windows)]


def client_offers(server_bits):
    """What our client offers instead of its default, to which settings, and the answer."""
    alone = ["server_no_context_takeover", "client_no_context_takeover"]
    alone += [f"server_max_window_bits={bits}" for bits in server_bits]
    alone += [f"client_max_window_bits={bits}" for bits in BITS]
    return [
        (NAME, FREE, NAME),
        (NAME, Offer(True, True, 12, None), str(Offer(True, True, 12, None))),
        *((f"{NAME}; {parameter}", FREE, f"{NAME}; {parameter}") for parameter in alone),
        (f"{NAME}; client_max_window_bits=12", Offer(client_bits=10), f"{NAME}; client_max_window_bits=10"),
        (f"{NAME}; server_max_window_bits=10, {NAME}", FREE, f"{NAME}; server_max_window_bits=10"),
    ]
