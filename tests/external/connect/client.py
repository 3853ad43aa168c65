"""Our client under test: the example `connect` of sockless-connect."""

import json
import subprocess
import time

LIMIT = 30  # seconds for one connection, whatever happens to it


class Client:
    def __init__(self, program, *options):
        self.program = program
        self.options = options

    def with_options(self, *options):
        return Client(self.program, *self.options, *options)

    def __call__(self, url, *options, before=()):
        """What became of a connection to this URL. `before` is a command that runs the client."""
        command = [*before, self.program, *self.options, *options, url]
        began = time.monotonic()
        # Nothing in the environment may send it elsewhere.
        ran = subprocess.run(command, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
        lines = ran.stdout.splitlines()
        if len(lines) != 1 or ran.stderr:
            raise AssertionError(f"it printed {ran.stdout[-300:]!r} and {ran.stderr[-300:]!r}, with {ran.returncode}")
        report = json.loads(lines[0])
        report["seconds"] = time.monotonic() - began
        is_good = report["result"] == "opened" and report["error"] is None
        if ran.returncode != (0 if is_good else 1):
            raise AssertionError(f"exit status {ran.returncode} of {report}")
        return report


def expect(report, **wanted):
    """Compares what is named here; of a text it is enough to be part of the other."""
    for name, value in wanted.items():
        got = report[name]
        fits = value in got if isinstance(value, str) and isinstance(got, str) else got == value
        if not fits:
            raise AssertionError(f"{name} is not {value!r} in {report}")


def opened(report):
    expect(report, result="opened", status=101, error=None, close=1000, clean=True)
