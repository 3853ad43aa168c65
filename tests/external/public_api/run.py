#!/usr/bin/env python3
"""Compares the public items of each published library with the list that is committed beside this file.

usage: run.py             says what differs, and fails
       run.py --update    writes the lists anew

An item is whatever a user of all features can name, and what its type implements. Each library prints one line; the last line is
`N passed, N failed`.
"""

import argparse
import difflib
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
UPDATE = "tests/external/public_api/run.py --update"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true")
    update = parser.parse_args().update
    metadata = json.loads(cargo("metadata", "--format-version=1", "--no-deps", captured=True))
    names = sorted(package["name"] for package in metadata["packages"] if is_published(package))
    target = Path(metadata["target_directory"])
    every = [argument for name in names for argument in ("-p", name)]
    cargo("doc", "--quiet", "--all-features", "--no-deps", "--lib", *every, RUSTDOC=HERE / "rustdoc")
    lister = target / "public_api"
    manifest = HERE / "Cargo.toml"
    cargo("build", "--quiet", "--locked", "--manifest-path", manifest, "--target-dir", lister)
    failed = 0
    for name in names:
        documented = target / "doc" / f"{name.replace('-', '_')}.json"
        items = subprocess.run([lister / "debug" / "list", documented], check=True, stdout=subprocess.PIPE, text=True).stdout
        failed += not same(name, items, update)
    for other in sorted({path.stem for path in HERE.glob("*.txt")} - set(names)):
        print(f"FAIL  {other}: there is a list, and no such library")
        failed += 1
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed or not names else 0


def is_published(package):
    """Whether it is a library that others can depend on."""
    return package["publish"] != [] and any("lib" in target["kind"] for target in package["targets"])


def same(name, items, update):
    path = HERE / f"{name}.txt"
    if update:
        path.write_text(items)
    committed = path.read_text() if path.exists() else ""
    if items == committed and items:
        print(f"ok    {name}: {len(items.splitlines())} items")
        return True
    print(f"FAIL  {name}: public items that went (-) and came (+)")
    for line in list(difflib.unified_diff(committed.splitlines(), items.splitlines(), lineterm="", n=0))[2:]:
        if not line.startswith("@@"):
            print(f"      {line}")
    print(f"      If that is meant, run {UPDATE} and commit the list with the change.")
    return False


def cargo(*arguments, captured=False, **environment):
    done = subprocess.run(
        ["cargo", *map(str, arguments)],
        cwd=ROOT,
        check=True,
        env=dict(os.environ, **{name: str(value) for name, value in environment.items()}),
        stdout=subprocess.PIPE if captured else None,
        text=True,
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
