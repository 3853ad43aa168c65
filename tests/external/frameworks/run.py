#!/usr/bin/env python3
"""Headless Chromium as the client of echo servers of frameworks, over HTTP/1.1 and HTTP/2, on loopback.

usage: run.py --server PROGRAM...    each with the options --listen, --tls CERT KEY and --origin

puppeteer-core is installed by name under target/demo/; Chromium and openssl have to be there. Each check prints one line; the last line is
`N passed, N failed`.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from libraries import node_packages  # noqa: E402
from loopback import announced_address, end, end_children_when_ended, free_port, process, tail  # noqa: E402

PACKAGES = ("puppeteer-core@24.43.1", "axe-core@4.14.1")  # one folder for all that drive a browser
TARGET = HERE.parents[2] / "target" / "demo"
CHECKS = 18  # for each server: fewer mean that something did not run
TIME_LIMIT = 200  # seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    end_children_when_ended()
    modules = node_packages(TARGET / "node", *PACKAGES) / "node_modules"
    passed = failed = 0
    for program in arguments.server:
        with tempfile.TemporaryDirectory() as directory:
            output = talk(program.resolve(), Path(directory), modules)
        print(output, end="", flush=True)
        good = len(re.findall("^ok ", output, re.MULTILINE))
        bad = len(re.findall("^FAIL ", output, re.MULTILINE))
        if good + bad < CHECKS:
            print(f"FAIL  {program.name}: {good + bad} of {CHECKS} checks ran")
            bad += 1
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


def talk(program, directory, modules):
    """Both servers of one program, and what the browser says of them."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    # The origin of the page is known before the page is served.
    page = free_port()
    origin = f"http://127.0.0.1:{page}"
    with contextlib.ExitStack() as stack:
        ports = []
        for name, tls in (("plain", []), ("tls", ["--tls", cert, key])):
            command = [program, "--listen", "127.0.0.1:0", "--origin", origin, *tls]
            log = directory / name
            server = stack.enter_context(process(command, log, stdout=subprocess.PIPE))
            address = announced_address(server)
            if address is None:
                return f"FAIL  {program.name}: it did not say where it listens: {tail(log)}\n"
            ports.append(address.rsplit(":", 1)[1])
        command = ["node", HERE / "browser.mjs", program.name, modules, str(page), *ports]
        browser = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            return browser.communicate(timeout=TIME_LIMIT)[0]
        except subprocess.TimeoutExpired:
            browser.terminate()
            return browser.communicate()[0] + f"FAIL  {program.name}: not done after {TIME_LIMIT} s\n"
        finally:
            end(browser)


if __name__ == "__main__":
    sys.exit(main())
