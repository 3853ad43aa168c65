"""Drives the ported suite; run by the interpreter of the virtual environment.

usage: wstest.py fuzzingclient SPEC.json    run the cases against a server
       wstest.py fuzzingserver SPEC.json    serve the cases to a client
       wstest.py list PATTERN...            print the ids of the cases that match
"""

import json
import sys
import warnings

warnings.filterwarnings("ignore")

from autobahn.websocket.protocol import WebSocketClientFactory, WebSocketServerFactory  # noqa: E402
from autobahntestsuite import case, fuzzing  # noqa: E402
from autobahntestsuite.caseset import CaseSet  # noqa: E402
from autobahntestsuite.py2 import to_bytes, to_text  # noqa: E402


def bridge(protocol):
    """Everything below `protocol` takes bytes, everything above thinks in latin-1 text: convert on the way."""

    def optional(data):
        return None if data is None else to_bytes(data)

    class Bridge(protocol):
        def sendFrame(self, opcode, payload=b"", **options):
            if options.get("mask") is not None:
                options["mask"] = to_bytes(options["mask"])
            return super(protocol, self).sendFrame(opcode, to_bytes(payload), **options)

        def sendMessage(self, payload, *options, **more):
            return super(protocol, self).sendMessage(to_bytes(payload), *options, **more)

        def sendMessageFrame(self, payload, *options, **more):
            return super(protocol, self).sendMessageFrame(to_bytes(payload), *options, **more)

        def sendMessageFrameData(self, payload, *options, **more):
            return super(protocol, self).sendMessageFrameData(to_bytes(payload), *options, **more)

        def sendPing(self, payload=None):
            return super(protocol, self).sendPing(optional(payload))

        def sendPong(self, payload=None):
            return super(protocol, self).sendPong(optional(payload))

        def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
            return super(protocol, self).sendCloseFrame(code, optional(reasonUtf8), isReply)

        def onMessage(self, message, binary, receive=protocol.onMessage):
            return receive(self, to_text(message), binary)

        def onPong(self, payload, receive=protocol.onPong):
            return receive(self, to_text(payload))

    # The suite's own subclasses exist already, so the methods go into the class that they share.
    for name, method in vars(Bridge).items():
        if name.startswith(("send", "on")):
            setattr(protocol, name, method)


def wait_longer(factory):
    """The timers cut the time that they ring at to whole seconds: one of a second may ring at once. So give them one more."""

    def reset(self, original=factory.resetProtocolOptions):
        original(self)
        for timeout in ("closeHandshakeTimeout", "serverConnectionDropTimeout"):
            if hasattr(self, timeout):
                setattr(self, timeout, getattr(self, timeout) + 1)

    factory.resetProtocolOptions = reset


def list_cases(patterns):
    cases = CaseSet(case.CaseSetname, case.CaseBasename, case.Cases, case.CaseCategories, case.CaseSubCategories)
    return cases.parseSpecCases({"cases": patterns})


def main():
    mode, arguments = sys.argv[1], sys.argv[2:]
    if mode == "list":
        print("\n".join(list_cases(arguments)))
        return
    from twisted.internet import reactor

    with open(arguments[0], encoding="utf-8") as file:
        spec = json.load(file)
    bridge(fuzzing.FuzzingProtocol)
    wait_longer(WebSocketClientFactory)
    wait_longer(WebSocketServerFactory)
    if mode == "fuzzingclient":
        fuzzing.startClient(spec)
    else:
        fuzzing.startServer(spec, 0)
    reactor.run()


if __name__ == "__main__":
    main()
