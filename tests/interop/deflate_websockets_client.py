"""Our terminal client with compression, against the server of the Python library `websockets`."""

import contextlib
import itertools
import queue
import threading
import time

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory as Accepting
from websockets.sync.server import serve

from checks import equal, text
from conversing import check_view, converse, frames
from deflate_raw import raw_checks
from loopback import process, tail
from messages import conversation
from negotiation import NAME, Expected, Offer, check_traffic
from tap import LIMIT, Tap
from traffic import Traffic

TAKEOVERS = list(itertools.product((False, True), repeat=2))
BITS = range(8, 16)
WIDE = range(9, 16)  # what the library's zlib compresses with
DEFAULT_OFFER = f"{NAME}; client_max_window_bits"
NOTHING = object()

# The settings of the library's server, which decide alone against the default offer of our client.
SETTINGS = [
    *(Offer(*takeover, client_bits=None) for takeover in TAKEOVERS),
    *(Offer(server_bits=bits, client_bits=None) for bits in WIDE),
    *(Offer(client_bits=bits) for bits in BITS),
    Offer(True, False, 9, 8),
    Offer(False, True, 9, 9),
    Offer(False, False, 12, 12),
    Offer(True, True, 15, 15),
]
FREE = Offer(client_bits=None)
EIGHT = f"{NAME}; server_max_window_bits=8"

# What our client offers instead, to which settings, and the answer.
OFFERED = [
    (NAME, FREE, NAME),
    (NAME, Offer(True, True, 12, None), str(Offer(True, True, 12, None))),
    # Its own window is not offered, so that the library leaves it alone.
    (NAME, Offer(client_bits=9), NAME),
    *((f"{NAME}; {parameter}", FREE, f"{NAME}; {parameter}") for parameter in (
        "server_no_context_takeover",
        "client_no_context_takeover",
        *(f"server_max_window_bits={bits}" for bits in WIDE),
        *(f"client_max_window_bits={bits}" for bits in BITS),
    )),
    (f"{NAME}; client_max_window_bits=12", Offer(client_bits=10), f"{NAME}; client_max_window_bits=10"),
    (f"{NAME}; client_max_window_bits=10", Offer(client_bits=12), f"{NAME}; client_max_window_bits=10"),
    (f"{NAME}; server_max_window_bits=10, {NAME}", FREE, f"{NAME}; server_max_window_bits=10"),
    # The library declines 8, and takes what comes next.
    (f"{EIGHT}, {DEFAULT_OFFER}", Offer(client_bits=9), f"{NAME}; client_max_window_bits=9"),
    (f"{EIGHT}, {NAME}; server_no_context_takeover", FREE, f"{NAME}; server_no_context_takeover"),
    (EIGHT, FREE, None),
]


def client_checks(checks, program, log):
    for settings in SETTINGS:
        checks.run(f"the library's server with {settings}", check_client, program, log, None, settings, str(settings))
    for offer, settings, answered in OFFERED:
        checks.run(f"--offer '{offer}' to {settings}", check_client, program, log, offer, settings, answered)
    checks.run("--no-deflate offers nothing", check_client, program, log, NOTHING, FREE, None)
    checks.run("the library's server compresses nothing", check_client, program, log, None, None, None)
    settings = [Offer(*at, server, client) for at in TAKEOVERS for server in (None, *WIDE) for client in (None, *BITS)]
    checks.run(f"{len(settings)} different settings of the library's server", check_settings, program, log, settings)
    with serving(accepting(FREE)) as (port, connections):
        raw_checks(checks, lambda clean: echoing_client(program, log, [], port, connections, clean), masked=False)


def check_client(program, log, offer, settings, answered):
    """A conversation of our client with the library's server."""
    messages = conversation(f"{offer}: {settings}")
    options = [] if offer is None else ["--no-deflate"] if offer is NOTHING else ["--offer", offer]
    with serving(accepting(settings)) as (port, connections), Tap(port) as tap:
        with echoing_client(program, log, options, tap.port, connections) as peer:
            converse(peer, messages)
            view = peer.protocol.extensions
        traffic = Traffic(tap.recording())
    offered = DEFAULT_OFFER if offer is None else None if offer is NOTHING else offer
    check_traffic(traffic, Expected(offered, answered, "client", messages, frames=frames))
    check_view(view, traffic.agreed)


def check_settings(program, log, different):
    extensions = []
    with serving(extensions) as (port, connections):
        for settings in different:
            extensions[:] = accepting(settings)
            with echoing_client(program, log, [], port, connections) as peer:
                answered = peer.response.headers.get_all("Sec-WebSocket-Extensions")
                equal(answered, [str(settings)], "the answer")
                for message in ("Hello", text(1000), text(1000), bytes(1000), "Hello"):
                    peer.send(message)
                    equal(peer.recv(timeout=LIMIT), message, f"the echo with {settings}")


def accepting(settings):
    if settings is None:
        return []
    return [Accepting(settings.server_nct, settings.client_nct, settings.server_bits, settings.client_bits)]


@contextlib.contextmanager
def serving(extensions):
    """A server of the library, with its port and the queue of its connections."""
    connections = queue.Queue()

    def handle(peer):
        connections.put(peer)
        while peer.protocol.state is not peer.protocol.state.CLOSED:
            time.sleep(0.005)

    options = {"compression": None, "extensions": extensions, "max_size": None, "ping_interval": None}
    with serve(handle, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1], connections
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def echoing_client(program, log, options, port, connections, clean=True):
    """The connection of our client, which must end as expected: 0 after a closing handshake."""
    with process([program, "--echo", *options, f"ws://127.0.0.1:{port}/"], log) as client:
        peer = connections.get(timeout=LIMIT)
        yield peer
        peer.close()
        equal(client.wait(LIMIT), 0 if clean else 1, f"exit status, after {tail(log)}")
        if clean:
            equal(tail(log), "closed 1000", "the client's report")
