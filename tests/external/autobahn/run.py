#!/usr/bin/env python3
"""Runs the Autobahn test suite against one side of the crate, on loopback.

usage: run.py server [options] COMMAND...    the suite is the client; COMMAND is an echo server, gets
                                             `--listen 127.0.0.1:0` and prints `listening on ADDRESS:PORT`
       run.py client [options] COMMAND...    the suite is the server; COMMAND finds AUTOBAHN_URL and
                                             AUTOBAHN_AGENT in its environment, runs every case and exits with 0
       run.py setup                          only makes the virtual environment

Fails on any case whose behaviour or close is neither OK nor INFORMATIONAL, and when not exactly the expected cases
ran. The last line is `N passed, N failed`. The full reports stand under target/autobahn/.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from loopback import accepts, echo_server, end_children_when_ended, free_port, process, tail, wait  # noqa: E402
from summary import judge  # noqa: E402

TARGET = HERE.parents[2] / "target" / "autobahn"
SUITE = "autobahntestsuite==25.10.1"

# Cases in each group of this version of the suite.
GROUPS = {1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54, 10: 1, 12: 90, 13: 126}
QUICK = (1, 2, 3, 4, 5, 6, 7, 10)
SETS = {
    "quick": QUICK,
    # And of compression one of each kind, each of another size.
    "short": QUICK + ("12.1.1", "12.2.3", "12.3.5", "12.4.7", "12.5.12")
    + ("13.1.2", "13.2.4", "13.3.6", "13.4.8", "13.5.10", "13.6.14", "13.7.18"),
    "limits": (9,),
    "rfc6455": (1, 2, 3, 4, 5, 6, 7, 9, 10),
    "deflate": (12, 13),
    "all": tuple(GROUPS),
}


def main():
    options = parse_arguments()
    end_children_when_ended()
    python = set_up()
    if options.role == "setup":
        return 0
    patterns, cases = select(python, options.cases)
    if options.half is not None:
        patterns = cases = cases[options.half :: 2]
    agent = options.agent or Path(options.command[0]).name
    out = TARGET / f"{options.role}-{agent}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / "suite.log").touch()
    run = run_server if options.role == "server" else run_client
    print(f"{len(cases)} cases, the {options.role} is {options.command[0]}", flush=True)
    started = time.monotonic()
    try:
        complaints = run(python, options, patterns, agent, out)
    except OSError as error:
        complaints = [f"cannot run: {error}"]
    if "Traceback" in (out / "suite.log").read_text(errors="replace"):
        complaints.append(f"the suite itself failed: {tail(out / 'suite.log')}")
    passed, failed = judge(out / "index.json", agent, cases)
    for complaint in complaints:
        failed += 1
        print(f"FAIL  {complaint}")
    print(f"      {time.monotonic() - started:.0f} s, reports in {out}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("setup")
    for role in ("server", "client"):
        tested = roles.add_parser(role)
        tested.add_argument("--cases", default="rfc6455", help=f"{', '.join(SETS)}, or patterns such as 1.*,6.4.*")
        tested.add_argument("--half", type=int, choices=(0, 1), help="every other of these cases, from the first or the second on")
        tested.add_argument("--agent", help="name in the report (default: the command's)")
        tested.add_argument("--time-limit", type=float, default=300, metavar="SECONDS", help="for the whole run")
        tested.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND...")
    options = parser.parse_args()
    if options.role != "setup":
        if options.command[:1] == ["--"]:
            options.command.pop(0)
        if not options.command:
            parser.error("no COMMAND")
    return options


def set_up():
    """Makes the virtual environment unless it is there; returns its interpreter."""
    home = TARGET / "venv"
    python = home / "bin" / "python"
    recipe = (HERE / "requirements.txt").read_bytes() + (HERE / "port.py").read_bytes() + SUITE.encode()
    stamp, made_by = home / "made-by", hashlib.sha256(recipe).hexdigest()
    if stamp.is_file() and stamp.read_text() == made_by:
        return python
    print(f"setting up {home}", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True, timeout=600)
    subprocess.run([*pip, "--no-deps", "--no-compile", SUITE], check=True, timeout=600)
    subprocess.run([python, HERE / "port.py"], check=True, timeout=120)
    stamp.write_text(made_by)
    return python


def select(python, cases):
    """The suite's patterns for a set, and the ids of its cases."""
    named = SETS.get(cases)
    patterns = [f"{it}.*" if it in GROUPS else it for it in named] if named else cases.split(",")
    listed = subprocess.run(
        [python, HERE / "wstest.py", "list", *patterns], check=True, stdout=subprocess.PIPE, text=True, timeout=60
    )
    ids = listed.stdout.split()
    if named and len(ids) != sum(GROUPS.get(it, 1) for it in named):
        sys.exit(f"the suite has {len(ids)} cases in {cases}: not the version that this runner knows")
    if not ids:
        sys.exit(f"no case matches {cases}")
    return patterns, ids


def run_server(python, options, patterns, agent, out):
    with echo_server(options.command, out / "server.log") as (server, address):
        if address is None:
            return ["the server did not print `listening on ADDRESS:PORT`"]
        spec = {"outdir": str(out), "servers": [{"agent": agent, "url": f"ws://{address}"}]}
        with process(suite(python, "fuzzingclient", spec, patterns, out), out / "suite.log") as fuzzer:
            complaints = []
            if wait(fuzzer, options.time_limit) != 0:
                complaints.append(f"the suite did not end well: {tail(out / 'suite.log')}")
            if server.poll() is not None:
                complaints.append(f"the server ended: {tail(out / 'server.log')}")
            return complaints


def run_client(python, options, patterns, agent, out):
    port = free_port()
    url = f"ws://127.0.0.1:{port}"
    spec = {"outdir": str(out), "url": url}
    with process(suite(python, "fuzzingserver", spec, patterns, out), out / "suite.log") as fuzzer:
        if not accepts(port, fuzzer):
            return [f"the suite did not start: {tail(out / 'suite.log')}"]
        environment = {**os.environ, "AUTOBAHN_URL": url, "AUTOBAHN_AGENT": agent}
        with process(options.command, out / "client.log", env=environment) as client:
            status = wait(client, options.time_limit)
            if status != 0:
                why = "reached the time limit" if status is None else f"ended with {status}"
                return [f"the client {why}: {tail(out / 'client.log')}"]
            return []


def suite(python, mode, spec, patterns, out):
    """The command that runs the suite in a mode, with its specification written to a file."""
    spec.update({"cases": patterns, "exclude-cases": [], "exclude-agent-cases": {}})
    path = out / "spec.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    return [python, HERE / "wstest.py", mode, path]


if __name__ == "__main__":
    sys.exit(main())
