#!/usr/bin/env python3
"""Proves the table of Rust versions in the README: no package that a set of features brings states a newer one, and the crate's
own code uses nothing newer.

usage: .ci/rust_version.py

The table names each feature once; `default` is the set of the default ones. A package that states no version counts as its
edition does. The packages are those for this machine.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADING = "## Minimum Rust version"
# The first version with an edition.
EDITIONS = {"2015": "1.0", "2018": "1.31", "2021": "1.56", "2024": "1.85"}


def main():
    stated = table((ROOT / "README.md").read_text())
    metadata = json.loads(cargo("metadata", "--format-version=1", "--all-features", f"--filter-platform={host()}"))
    own = next(package for package in metadata["packages"] if package["name"] == "sockless" and package["source"] is None)
    asked = {
        (package["name"], package["version"]): package["rust_version"] or EDITIONS[package["edition"]]
        for package in metadata["packages"]
    }
    faults = []
    wanted = set(own["features"]) | {"none"}
    for missing in sorted(wanted - set(stated)):
        faults.append(f"the table does not name `{missing}`")
    for unknown in sorted(set(stated) - wanted):
        faults.append(f"there is no feature called `{unknown}`")
    if own["rust_version"] != stated.get("default"):
        faults.append(f"Cargo.toml says {own['rust_version']}, the table {stated.get('default')} for the default features")
    brought = 0
    for features in sorted(wanted & set(stated)):
        for name, version in packages(features):
            brought += 1
            if number(asked[name, version]) > number(stated[features]):
                faults.append(f"`{features}` is stated for {stated[features]}: {name} {version} asks for {asked[name, version]}")
    if brought < 20:
        faults.append(f"only {brought} packages were looked at")
    print(f"{len(stated)} sets of features, {brought} packages")
    faults += own_code(stated)
    for fault in faults:
        print(f"FAIL  {fault}")
    return 1 if faults else 0


def table(text):
    """Each feature with its version."""
    section = text.split(HEADING, 1)[1].split("\n## ", 1)[0]
    stated = {}
    for features, version in re.findall(r"^\|(.+)\| (\d+\.\d+) \|$", section, re.MULTILINE):
        for feature in re.findall(r"[a-z][a-z0-9-]*", features):
            if feature in stated:
                sys.exit(f"FAIL  the table names `{feature}` twice")
            stated[feature] = version
    return stated


def packages(features):
    """What this feature brings into a build, without what tests need."""
    tree = cargo("tree", "--edges=normal,build", "--prefix=none", "--format={p}", *selected([features]))
    words = (line.split() for line in tree.splitlines() if line)
    found = {(name, version.removeprefix("v")) for name, version, *_ in words}
    return sorted(package for package in found if package[0] != "sockless")


def own_code(stated):
    """What clippy finds in our own code that is newer than stated, for the sets of one version together."""
    faults = []
    for version in sorted(set(stated.values()), key=number):
        # A set of a newer version may hold those of older ones.
        features = [feature for feature, of in stated.items() if number(of) <= number(version)]
        with tempfile.TemporaryDirectory() as configuration:
            Path(configuration, "clippy.toml").write_text(f'msrv = "{version}"\n')
            lint = subprocess.run(
                ["cargo", "clippy", "--quiet", "--lib", "--message-format=short", *selected(features)],
                cwd=ROOT,
                env={**os.environ, "CLIPPY_CONF_DIR": configuration},
                stderr=subprocess.PIPE,
                text=True,
            )
        # What else clippy finds is for other steps to say.
        found = [line for line in lint.stderr.splitlines() if re.search(r"current MSRV|error\[E", line)]
        if found:
            faults.append("\n".join([f"our own code needs more than {version} for {', '.join(features)}:", *found]))
    return faults


def selected(features):
    features = [feature for feature in features if feature != "none"]
    return ["--no-default-features", "--features", ",".join(features)]


def host():
    about = subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return re.search(r"^host: (.+)$", about, re.MULTILINE).group(1)


def cargo(command, *arguments):
    return subprocess.run(
        ["cargo", command, "--locked", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def number(version):
    return tuple(int(part) for part in version.split(".")[:2])


sys.exit(main())
