"""permessage-deflate with the Node library `ws` as the other side, which `deflate_ws.mjs` drives.

usage: deflate_ws.py server PROGRAM    it is the client of this echo server, which is started as needed
       deflate_ws.py client PROGRAM    it is the server of the terminal client

Prints one line a check; the last line is `N passed, N failed`.
"""

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from checks import Checks, equal
from messages import BATCH, Message, conversation, to_json
from negotiation import NAME, Expected, Ours, answer, canonical, check_traffic
from programs import (
    BITS,
    all_settings,
    client_offers,
    echoing_client,
    end,
    end_children_when_ended,
    offers,
    server_conversations,
    settings,
    started,
)
from tap import Tap
from traffic import Agreed, Traffic, read_checks

LIMIT = 60  # seconds for one task
FEW = [Message(["Hello"]), Message(["records " * 200]), Message(["records " * 200]), Message([bytes(1000)])]
DEFAULT_OFFER = f"{NAME}; client_max_window_bits"


def main():
    mode, program = sys.argv[1:]
    end_children_when_ended()
    checks = Checks()
    read_checks(checks)
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        server_checks(checks, program, log) if mode == "server" else client_checks(checks, program, log)
    return checks.finish()


class Node:
    """The process that does what it is told."""

    def __enter__(self):
        script = Path(__file__).with_suffix(".mjs")
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(["node", script], stdin=pipe, stdout=pipe, text=True)
        return self

    def __exit__(self, *_):
        end(self.process)

    def tell(self, messages=None, **task):
        if messages:
            task |= {"messages": json.loads(to_json(messages)), "batch": BATCH}
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()

    def serve(self, messages, options):
        """The port of the server that takes one connection; `told` gives the result."""
        self.tell(messages, serve=options)
        return self.told()["port"]

    def told(self):
        timer = threading.Timer(LIMIT, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise AssertionError("the task took too long, or Node ended")
        return json.loads(line)


def options(offer):
    """As the library calls them; what is not said is left to its defaults."""
    named = {
        "serverNoContextTakeover": offer.server_nct or None,
        "clientNoContextTakeover": offer.client_nct or None,
        "serverMaxWindowBits": offer.server_bits,
        "clientMaxWindowBits": offer.client_bits,
    }
    return {name: value for name, value in named.items() if value is not None}


def offered(offer):
    """A client's options; unsaid, it offers `client_max_window_bits`."""
    return {"clientMaxWindowBits": False, **options(offer)}


def server_checks(checks, program, log):
    for ours, offer in server_conversations(BITS):
        checks.run(f"{ours}: {offer}", check_server, program, log, ours, offer)
    for ours in (Ours(), Ours(takeover=True), Ours(takeover=True, server_window=11, client_window=10)):
        checks.run(f"{ours}: {len(offers(BITS))} different offers", check_offers, program, log, ours)
    checks.run("a client that insists on its context does not get it by default", check_insisting, program, log)


def check_server(program, log, ours, offer):
    messages = conversation(f"{ours}: {offer}")
    with Node() as node, started(program, log, ours) as port, Tap(port) as tap:
        node.tell(messages, connect=f"ws://127.0.0.1:{tap.port}/", offers=[offered(offer)])
        [result] = node.told()["results"]
        no_error(result)
        traffic = Traffic(tap.recording())
    check_traffic(traffic, Expected(str(offer), answer(ours, offer), "server", messages, frames=frames))
    check_view(result["params"], traffic.agreed, offer.client_bits)


def check_offers(program, log, ours):
    different = offers(BITS)
    with Node() as node, started(program, log, ours) as port:
        node.tell(FEW, connect=f"ws://127.0.0.1:{port}/", offers=[offered(offer) for offer in different])
        results = node.told()["results"]
    for offer, result in zip(different, results):
        no_error(result)
        equal(result["header"], answer(ours, offer), f"the answer to {offer}")


def check_insisting(program, log):
    with Node() as node, started(program, log, Ours()) as port:
        node.tell(FEW, connect=f"ws://127.0.0.1:{port}/", offers=[{"clientNoContextTakeover": False}, False])
        insisting, plain = node.told()["results"]
    equal(insisting, {"error": "Invalid Sec-WebSocket-Extensions header"}, "with its context")
    equal(plain, {"header": None, "params": None}, "without compression")


def no_error(result):
    if "error" in result:
        raise AssertionError(f"Node: {result['error']}")


def frames(message):
    return len(message.parts)


def check_view(params, agreed, bits=None):
    """What the library thinks it agreed on; it adds the bound that it has set itself as a client."""
    if agreed is None:
        equal(params, None, "the library's parameters")
        return
    view = Agreed(**params)
    if bits not in (None, True):
        agreed.client_max_window_bits = min(bits, agreed.client_max_window_bits)
    equal(view, agreed, "the library's parameters")


def client_checks(checks, program, log):
    def run(name, *arguments):
        checks.run(name, check_client, program, log, *arguments)

    for set_to in settings(BITS):
        run(f"the library's server with {set_to}", [], DEFAULT_OFFER, options(set_to), str(set_to))
    for offer, set_to, answered in client_offers(BITS):
        run(f"--offer '{offer}' to {set_to}", ["--offer", offer], offer, options(set_to), answered)
    # It takes the first that it can, and answers 400 where it can take none.
    strict, two = {"serverMaxWindowBits": 12, "clientMaxWindowBits": 12}, f"{NAME}, {NAME}; client_max_window_bits=13"
    answered = f"{NAME}; server_max_window_bits=12; client_max_window_bits=12"
    run("the second offer is taken where the first cannot be", ["--offer", two], two, strict, answered)
    checks.run("no offer can be taken: 400", check_unacceptable, program, log, strict)
    run("--no-deflate offers nothing", ["--no-deflate"], None, {}, None)
    run("the library's server compresses nothing", [], DEFAULT_OFFER, False, None)
    different = all_settings(BITS)
    name = f"{len(different)} different settings of the library's server"
    checks.run(name, check_settings, program, log, different)


def check_client(program, log, flags, offer, set_to, answered):
    messages = conversation(f"{flags}: {set_to}")
    with Node() as node, Tap(node.serve(messages, set_to)) as tap:
        with echoing_client(program, log, flags, tap.port):
            result = node.told()
            no_error(result)
        traffic = Traffic(tap.recording())
    check_traffic(traffic, Expected(offer, answered, "client", messages, frames=frames))
    check_view(result["params"], traffic.agreed)


def check_unacceptable(program, log, set_to):
    with Node() as node:
        port = node.serve(FEW, set_to)
        command = [program, "--offer", NAME, f"ws://127.0.0.1:{port}/"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
        equal(done.returncode, 1, "exit status")
        equal(b"400" in done.stderr, True, f"the report names the status: {done.stderr}")
        equal(node.told(), {"error": "the library refused"}, "what the library did")


def check_settings(program, log, different):
    with Node() as node:
        for set_to in different:
            port = node.serve(FEW, options(set_to))
            with echoing_client(program, log, [], port):
                result = node.told()
                no_error(result)
            equal(canonical(result["header"]), canonical(str(set_to)), "the answer")


if __name__ == "__main__":
    sys.exit(main())
