#!/usr/bin/env python3
"""Connects with our client to servers of others, on loopback: over TLS and through proxies, on tokio and on blocking sockets.

usage: run.py [--client PROGRAM]    the example `connect` of sockless-connect
              [--only SUBJECT]...   only these: tls, cuts, proxies, addresses

Python's `websockets` and Node's `ws` are installed by name under target/interop/; the programs have to be there.
Each check prints one line; the last line is `N passed, N failed`.
"""

import argparse
import sys
from itertools import product
from pathlib import Path

from peers import HERE, TARGET  # first: it says where the others are

from addresses import check_addresses
from certificates import Certificates
from checks import Checks
from client import Client
from cuts import check_cuts
from loopback import end_children_when_ended
from proxies import check_proxies
from tls import check_tls

SUBJECTS = {"tls": (check_tls, 69), "cuts": (check_cuts, 44), "proxies": (check_proxies, 94), "addresses": (check_addresses, 11)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", type=Path, default=HERE.parents[2] / "target" / "release" / "examples" / "connect")
    parser.add_argument("--only", choices=SUBJECTS, action="append")
    options = parser.parse_args()
    end_children_when_ended()
    TARGET.mkdir(parents=True, exist_ok=True)
    certificates = Certificates(TARGET / "certificates")
    total = Checks()
    for name, way in product(options.only or SUBJECTS, ([], ["--blocking"])):
        subject, count = SUBJECTS[name]
        print(" ".join(["==", name, *way, "=="]), flush=True)
        checks = Checks()
        try:
            subject(checks, Client(options.client.resolve(), *way), certificates)
        except Exception as error:
            checks.failed += 1
            print(f"FAIL  {name} cannot be checked: {type(error).__name__}: {error}")
        if len(checks.names) != count:
            checks.failed += 1
            print(f"FAIL  {len(checks.names)} checks ran, not {count}")
        total.passed += checks.passed
        total.failed += checks.failed
    return total.finish()


if __name__ == "__main__":
    sys.exit(main())
