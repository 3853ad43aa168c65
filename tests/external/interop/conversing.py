"""Conversations through the Python library `websockets`, in either role."""

from checks import equal
from messages import BATCH
from tap import LIMIT


def converse(peer, messages):
    """Sends all messages, some at a time, and compares each echo."""
    pong = None
    for start in range(0, len(messages), BATCH):
        for message in messages[start : start + BATCH]:
            pong = send(peer, message) or pong
        for at, message in enumerate(messages[start : start + BATCH], start):
            equal(peer.recv(timeout=LIMIT) == message.whole(), True, f"the echo of message {at} is the message")
    equal(pong.wait(LIMIT), True, "the last ping is answered")


def send(peer, message):
    pongs = []

    def parts():
        for part in message.parts:
            if message.ping:
                pongs.append(peer.ping())
            yield part

    if len(message.parts) > 1:
        peer.send(parts())
    else:
        peer.send(next(parts()))
    return pongs[-1] if pongs else None


def frames(message):
    """The library ends fragments with an empty frame."""
    return len(message.parts) + (len(message.parts) > 1)


def check_view(view, agreed, hinted=False, bits=None):
    """What the library thinks it agreed on; a client may bound itself more than the answer does."""
    if agreed is None:
        equal(view, [], "the library's extensions")
        return
    own = agreed.client_max_window_bits
    if bits not in (None, True):
        own = min(bits, own)
    client = (agreed.client_no_context_takeover or hinted, own)
    server = (agreed.server_no_context_takeover, agreed.server_max_window_bits)
    [view] = view
    local = (view.local_no_context_takeover, view.local_max_window_bits)
    remote = (view.remote_no_context_takeover, view.remote_max_window_bits)
    equal({local, remote}, {client, server}, "the library's parameters")
