#!/usr/bin/env python3
"""The demo as its users see it: its page in headless Chromium and Firefox, on loopback.

usage: run.py --demo PROGRAM         the example `demo`
              [--browser NAME]...    only these: chromium, firefox
              [--only WORDS]         only the checks whose names have these words

puppeteer-core and axe-core are installed by name under target/demo/; the browsers have to be there. Both run at the same time, each
with a server of its own. Each check prints one line; the last line is `N passed, N failed`.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from libraries import node_packages  # noqa: E402
from loopback import end, end_children_when_ended  # noqa: E402

PACKAGES = ("puppeteer-core@24.43.1", "axe-core@4.14.1")
TARGET = HERE.parents[2] / "target" / "demo"
CHECKS = 13  # of each browser: fewer mean that something did not run
TIME_LIMIT = 240  # seconds for one browser


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, required=True)
    parser.add_argument("--browser", action="append", choices=("chromium", "firefox"))
    parser.add_argument("--only")
    arguments = parser.parse_args()
    end_children_when_ended()
    modules = node_packages(TARGET / "node", *PACKAGES) / "node_modules"
    only = ["--only", arguments.only] if arguments.only else []
    running = {}
    passed = failed = 0
    try:
        for browser in arguments.browser or ("chromium", "firefox"):
            command = ["node", HERE / "browser.mjs", browser, arguments.demo.resolve(), modules, *only]
            running[browser] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        for browser, process in running.items():
            try:
                output, _ = process.communicate(timeout=TIME_LIMIT)
            except subprocess.TimeoutExpired:
                process.terminate()
                output, _ = process.communicate()
                output += f"FAIL  {browser}: not done after {TIME_LIMIT} s\n"
            print("\n".join(line for line in output.splitlines() if not re.match(r"\d+ passed, ", line)), flush=True)
            good = len(re.findall("^ok ", output, re.MULTILINE))
            bad = len(re.findall("^FAIL ", output, re.MULTILINE))
            if not only and good + bad < CHECKS:
                print(f"FAIL  {browser}: {good + bad} of {CHECKS} checks ran")
                bad += 1
            passed, failed = passed + good, failed + bad
    finally:
        for process in running.values():
            end(process)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
