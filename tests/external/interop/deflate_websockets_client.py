"""Our terminal client with compression, against the server of the Python library `websockets`."""

import contextlib
import queue
import threading
import time

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory as Accepting
from websockets.sync.server import serve

from checks import equal, text
from conversing import check_view, converse, frames
from deflate_raw import raw_checks
from messages import conversation
from negotiation import NAME, Expected, Offer, check_traffic
from programs import FREE, all_settings, client_offers, echoing_client, settings
from tap import LIMIT, Tap
from traffic import Traffic

WIDE = range(9, 16)  # what the library's zlib compresses with
DEFAULT_OFFER = f"{NAME}; client_max_window_bits"
NOTHING = object()
EIGHT = f"{NAME}; server_max_window_bits=8"

OFFERED = [
    *client_offers(WIDE),
    # Its own window is not offered, so that the library leaves it alone.
    (NAME, Offer(client_bits=9), NAME),
    (f"{NAME}; client_max_window_bits=10", Offer(client_bits=12), f"{NAME}; client_max_window_bits=10"),
    # The library declines 8, and takes what comes next.
    (f"{EIGHT}, {DEFAULT_OFFER}", Offer(client_bits=9), f"{NAME}; client_max_window_bits=9"),
    (f"{EIGHT}, {NAME}; server_no_context_takeover", FREE, f"{NAME}; server_no_context_takeover"),
    (EIGHT, FREE, None),
]


def client_checks(checks, program, log):
    for set_to in settings(WIDE):
        checks.run(f"the library's server with {set_to}", check_client, program, log, None, set_to, str(set_to))
    for offer, set_to, answered in OFFERED:
        checks.run(f"--offer '{offer}' to {set_to}", check_client, program, log, offer, set_to, answered)
    checks.run("--no-deflate offers nothing", check_client, program, log, NOTHING, FREE, None)
    checks.run("the library's server compresses nothing", check_client, program, log, None, None, None)
    different = all_settings(WIDE)
    checks.run(f"{len(different)} different settings of the library's server", check_settings, program, log, different)
    with serving(accepting(FREE)) as (port, connections):
        raw_checks(checks, lambda clean: connected(program, log, [], port, connections, clean), masked=False)


def check_client(program, log, offer, set_to, answered):
    """A conversation of our client with the library's server."""
    messages = conversation(f"{offer}: {set_to}")
    options = [] if offer is None else ["--no-deflate"] if offer is NOTHING else ["--offer", offer]
    with serving(accepting(set_to)) as (port, connections), Tap(port) as tap:
        with connected(program, log, options, tap.port, connections) as peer:
            converse(peer, messages)
            view = peer.protocol.extensions
        traffic = Traffic(tap.recording())
    offered = DEFAULT_OFFER if offer is None else None if offer is NOTHING else offer
    check_traffic(traffic, Expected(offered, answered, "client", messages, frames=frames))
    check_view(view, traffic.agreed)


def check_settings(program, log, different):
    extensions = []
    with serving(extensions) as (port, connections):
        for set_to in different:
            extensions[:] = accepting(set_to)
            with connected(program, log, [], port, connections) as peer:
                answered = peer.response.headers.get_all("Sec-WebSocket-Extensions")
                equal(answered, [str(set_to)], "the answer")
                for message in ("Hello", text(1000), text(1000), bytes(1000), "Hello"):
                    peer.send(message)
                    equal(peer.recv(timeout=LIMIT), message, f"the echo with {set_to}")


def accepting(set_to):
    if set_to is None:
        return []
    return [Accepting(set_to.server_nct, set_to.client_nct, set_to.server_bits, set_to.client_bits)]


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
def connected(program, log, options, port, connections, clean=True):
    """The connection of our client."""
    with echoing_client(program, log, options, port, clean):
        peer = connections.get(timeout=LIMIT)
        yield peer
        peer.close()
