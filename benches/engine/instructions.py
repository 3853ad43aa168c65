#!/usr/bin/env python3
"""Counts instructions a frame, and compares them with instructions.json.

usage: benches/engine/instructions.py            fails at more than 5 % over the baseline, 3 % over zlib-rs
       benches/engine/instructions.py --update   writes the baseline

Wants Valgrind, and gungraun-runner of the version in Cargo.toml. Counts are of this machine's compiler and C
library, which the baseline names; the processor does not matter, as long as it is an x86-64 with AVX2: Valgrind
emulates the same one on all of them.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "instructions.json"
TOLERANCE = 5.0  # per cent
# What the crate's codec may cost over zlib-rs alone, for the same messages and the same checks of the format.
OVER_ZLIB = 3.0  # per cent
COUNT = 1024  # frames, messages or handshakes in each case
ENVIRONMENT = {
    "SOCKLESS_BENCH_COUNT": str(COUNT),
    # Valgrind counts `rep movsb` as an instruction for each octet.
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-ERMS,-FSRM",
}
# What would change the code that is counted, or how it is run.
CLEARED = re.compile(
    r"RUSTFLAGS|CARGO_(ENCODED_RUSTFLAGS|BUILD_RUSTFLAGS|BUILD_TARGET|INCREMENTAL|PROFILE_\w*|TARGET_X86_\w*)"
    r"|GUNGRAUN_(?!RUNNER$)\w*"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the baseline")
    update = parser.parse_args().update
    now = {"measured with": versions(), "instructions per frame": count()}
    if update:
        BASELINE.write_text(json.dumps(now, indent=2) + "\n")
        print(f"{BASELINE} is written")
        return 0
    before = json.loads(BASELINE.read_text())
    for what, version in now["measured with"].items():
        was = before["measured with"].get(what)
        if was != version:
            print(f"NOTE  the baseline was measured with {what} {was}, this with {version}: counts may differ")
    table, faults = compare(before["instructions per frame"], now["instructions per frame"])
    beside_zlib, slower = compare_with_zlib(now["instructions per frame"])
    print("\n".join([*table, "", *beside_zlib]))
    print()
    faults += slower
    for fault in faults:
        print(f"FAIL  {fault}")
    if not faults:
        print(f"no case is more than {TOLERANCE:g} % over the baseline, no codec {OVER_ZLIB:g} % over zlib-rs")
    return 1 if faults else 0


def versions():
    """What the counts depend on."""
    rustc, valgrind = (output([tool, "--version"], cwd=HERE).split()[:2] for tool in ("rustc", "valgrind"))
    return {"rustc": rustc[1], "valgrind": valgrind[0].removeprefix("valgrind-"), "libc": " ".join(platform.libc_ver())}


def count():
    """Instructions per frame of each case, in the order of their declaration."""
    environment = {name: value for name, value in os.environ.items() if not CLEARED.fullmatch(name)}
    command = ["cargo", "bench", "--bench", "instructions", "--"]
    command += ["--output-format=json", "--parallel=auto"]
    cases = {}
    for line in output(command, cwd=HERE, env=environment | ENVIRONMENT).splitlines():
        summary = json.loads(line)
        instructions = summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"]
        cases[f"{summary['function_name']}.{summary['id']}"] = round(instructions / COUNT, 1)
    return dict(sorted(cases.items(), key=lambda case: natural(case[0])))


def natural(name):
    """A key by which 16 comes before 125."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def compare(before, now):
    """A table of all cases, and what is wrong with them."""
    table = [f"{'instructions per frame':<44}{'baseline':>12}{'now':>12}{'change':>10}"]
    faults = []
    for case in [*before, *(case for case in now if case not in before)]:
        row = f"{case:<44}" + "".join(f"{counts.get(case, '-'):>12}" for counts in (before, now))
        if case not in now:
            faults.append(f"{case} is in the baseline, but was not run")
        elif case not in before:
            faults.append(f"{case} was run, but is not in the baseline")
        else:
            change = 100 * (now[case] / before[case] - 1)
            row += f"{change:>+9.1f}%"
            if change > TOLERANCE:
                row += "  WORSE"
                faults.append(f"{case} takes {change:.1f} % more instructions than the baseline")
            elif change < -TOLERANCE:
                row += "  better: lower the baseline with --update"
        table.append(row)
    if not before:
        faults.append("the baseline is empty")
    return table, faults


def compare_with_zlib(now):
    """A table of the codec beside zlib-rs, and where it adds too much."""
    table = [f"{'instructions per message':<44}{'zlib-rs':>12}{'sockless':>12}{'more':>10}"]
    faults = []
    for case, alone in now.items():
        ours = case.replace("zlib_rs_", "")
        if ours == case:
            continue
        if ours not in now:
            faults.append(f"{ours} was not run")
            continue
        more = 100 * (now[ours] / alone - 1)
        table.append(f"{ours:<44}{alone:>12}{now[ours]:>12}{more:>+9.1f}%")
        if more > OVER_ZLIB:
            faults.append(f"{ours} takes {more:.1f} % more instructions than zlib-rs alone")
    if len(table) == 1:
        faults.append("zlib-rs was not run")
    return table, faults


def output(command, **options):
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"FAIL  {' '.join(command)} ended with {result.returncode}")
    return result.stdout


if __name__ == "__main__":
    sys.exit(main())
