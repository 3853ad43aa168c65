#!/usr/bin/env python3
"""Compares tests/requirements.md with the tests that ran: for each row in state `test`, one that carries the row's id in its name
was run and passed. What only stands in the source, is ignored or is not compiled counts for nothing.

usage: .ci/ran.py LOG    what `cargo test` printed
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(log):
    rows = wanted((ROOT / "tests/requirements.md").read_text())
    passed, others = results(log)
    missing = [row for row in rows if not any(carries(name, row) for name in passed)]
    for row in missing:
        became = "".join(f"; {name}: {result}" for name, result in others.items() if carries(name, row))
        print(f"FAIL  {row}: no test that passed carries it{became}")
    print(f"{len(rows) - len(missing)} of {len(rows)} rows are shown by {len(passed)} tests that ran")
    # A log that was cut off, or a table that was not understood, proves nothing.
    if len(rows) < 300 or len(passed) < 300:
        print("FAIL  that cannot be all of them")
        return 1
    return 1 if missing else 0


def wanted(table):
    """The ids of the rows in state `test`."""
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|"))
    return [row[0] for row in cells if len(row) == 7 and row[6] == "test" and row[0] != "id"]


def results(log):
    """The names of the tests that passed, without their modules, and of the others with what became of them."""
    passed, others = set(), {}
    for name, result in re.findall(r"^test (?:\w+::)*(\w+)(?: - should panic)? \.\.\. (\w+)", log, re.MULTILINE):
        if result == "ok":
            passed.add(name)
        else:
            others[name] = result
    return passed, others


def carries(name, row):
    """Whether the name of a test holds `req_` and this id, and not a longer one: `6455-5.4-1` is `req_6455_5_4_1`."""
    key = re.sub("[^a-z0-9]", "_", row.lower())
    return re.search(rf"(?:^|_)req_{key}(?:$|_[a-z])", name) is not None


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]).read_text()))
