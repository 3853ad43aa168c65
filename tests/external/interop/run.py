#!/usr/bin/env python3
"""Runs real peers, on loopback: Python's `websockets` and Node's `ws` against both roles, Chromium against the servers.

usage: run.py [--examples DIRECTORY]    where `echo_server`, `echo_server_std` and `client` are built
              [--peer NAME]...          only these: websockets, ws, chromium
              [--role server|client]    only our server, or our client

The libraries are installed by name under target/interop/; Chromium has to be there. Each check prints one line; the
last line is `N passed, N failed`.
"""

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from libraries import node_modules, python_with_websockets  # noqa: E402
from loopback import echo_server, end, end_children_when_ended, tail  # noqa: E402

TARGET = HERE.parents[2] / "target" / "interop"
SERVERS = ("echo_server", "echo_server_std")
TIME_LIMIT = 300  # seconds for one peer against one side

# The scripts of each peer for each of our roles: with their arguments, whether the server that they test is started
# here, and how many checks they have; the scripts count what ran.
SCRIPTS = {
    ("websockets", "server"): [
        (["peer_websockets.py", "server"], True, 48),
        (["peer_websockets.py", "server", "deflate"], True, 48),
        (["deflate_websockets.py", "server"], False, 73),
    ],
    ("websockets", "client"): [
        (["peer_websockets.py", "client"], False, 57),
        (["peer_websockets.py", "client", "deflate"], False, 57),
        (["deflate_websockets.py", "client"], False, 76),
    ],
    ("ws", "server"): [
        (["peer_ws.mjs", "server"], True, 37),
        (["peer_ws.mjs", "server", "deflate"], True, 37),
        (["deflate_ws.py", "server"], False, 53),
    ],
    ("ws", "client"): [
        (["peer_ws.mjs", "client"], False, 45),
        (["peer_ws.mjs", "client", "deflate"], False, 45),
        (["deflate_ws.py", "client"], False, 53),
    ],
    ("chromium", "server"): [
        (["chromium.py", "server"], False, 14),
    ],
    ("chromium", "client"): [],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=Path, default=HERE.parents[2] / "target" / "release" / "examples")
    parser.add_argument("--peer", choices=PEERS, action="append")
    parser.add_argument("--role", choices=["server", "client"])
    options = parser.parse_args()
    end_children_when_ended()
    TARGET.mkdir(parents=True, exist_ok=True)

    passed = failed = 0
    for peer in options.peer or PEERS:
        try:
            environment = {**os.environ, **PEERS[peer]()}
        except (OSError, subprocess.SubprocessError) as error:
            print(f"FAIL  {peer} cannot be had: {error}")
            failed += 1
            continue
        for role in [options.role] if options.role else ["server", "client"]:
            for tested, scripted in itertools.product(SERVERS if role == "server" else ["client"], SCRIPTS[peer, role]):
                good, bad = run(peer, options.examples.resolve() / tested, *scripted, environment)
                passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def run(peer, program, arguments, started, checks, environment):
    """Runs a script against a program; the numbers of passed and failed checks."""
    print(f"== {program.name} against {peer}: {' '.join(arguments)} ==", flush=True)
    interpreter = "node" if arguments[0].endswith(".mjs") else environment["INTEROP_PYTHON"]
    command = [interpreter, HERE / arguments[0], *arguments[1:]]
    passed, failed, ran = (against_server if started else against)(program, command, environment)
    if ran != checks:
        failed += 1
        print(f"FAIL  {ran} checks ran, not {checks}")
    return passed, failed


def set_up_websockets():
    return {"INTEROP_PYTHON": str(python_with_websockets())}


def set_up_ws():
    return {"INTEROP_PYTHON": sys.executable, "INTEROP_MODULES": str(node_modules())}


def set_up_chromium():
    if not shutil.which("chromium"):
        raise FileNotFoundError("there is no chromium here")
    return {"INTEROP_PYTHON": sys.executable}


PEERS = {"websockets": set_up_websockets, "ws": set_up_ws, "chromium": set_up_chromium}


def against_server(program, command, environment):
    log = TARGET / f"{program.name}-{Path(command[1]).stem}.log"
    try:
        with echo_server([program], log) as (server, address):
            if address is None:
                print("FAIL  it did not print `listening on ADDRESS:PORT`")
                return 0, 1, 0
            passed, failed, ran = script([*command, f"ws://{address}/"], environment)
            if server.poll() is not None:
                failed += 1
                print(f"FAIL  the server ended: {tail(log)}")
            elif "panicked" in log.read_text(errors="replace"):
                failed += 1
                print(f"FAIL  the server panicked: see {log}")
            return passed, failed, ran
    except OSError as error:
        print(f"FAIL  cannot run: {error}")
        return 0, 1, 0


def against(program, command, environment):
    if not program.is_file():
        print(f"FAIL  cannot run: no {program}")
        return 0, 1, 0
    return script([*command, program], environment)


def script(command, environment):
    """Runs the checks of a peer; the numbers of passed, failed and counted checks."""
    checks = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = checks.communicate(timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        end(checks)
        print("FAIL  the checks reached the time limit")
        return 0, 1, 0
    finally:
        end(checks)
    lines = output.rstrip().split("\n")
    print("\n".join(lines), flush=True)
    count = re.fullmatch(r"(\d+) passed, (\d+) failed", lines[-1])
    if not count or (checks.returncode != 0) != (count[2] != "0"):
        print(f"FAIL  the checks ended early, with {checks.returncode}")
        return 0, 1, 0
    passed, failed = int(count[1]), int(count[2])
    return passed, failed, passed + failed


if __name__ == "__main__":
    sys.exit(main())
