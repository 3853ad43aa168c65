#!/usr/bin/env python3
"""Proves the table of Rust versions in the README: no package that a set of features brings states a newer one, and the crate's
own code uses nothing newer.

usage: .ci/rust_version.py

The table names each feature once; `default` is the set of the default ones. The other packages of the workspace state theirs in
their `Cargo.toml`, for all features. A package that states no version counts as its edition does. The packages are those for this
machine.
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
    members = {package["name"]: package for package in metadata["packages"] if package["id"] in metadata["workspace_members"]}
    own = members.pop("sockless")
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
        for name, version in packages("sockless", selected([features])):
            brought += 1
            if number(asked[name, version]) > number(stated[features]):
                faults.append(f"`{features}` is stated for {stated[features]}: {name} {version} asks for {asked[name, version]}")
    for member, about in members.items():
        if about["rust_version"] is None:
            faults.append(f"{member} states no version")
            continue
        for name, version in packages(member, ["--all-features"]):
            brought += 1
            # What the crate itself asks for depends on its features.
            if name != "sockless" and number(asked[name, version]) > number(about["rust_version"]):
                faults.append(f"{member} is stated for {about['rust_version']}: {name} {version} asks for {asked[name, version]}")
    if brought < 20:
        faults.append(f"only {brought} packages were looked at")
    print(f"{len(stated)} sets of features, {len(members)} other packages of the workspace, {brought} packages")
    for version in sorted(set(stated.values()), key=number):
        # A set of a newer version may hold those of older ones.
        features = [feature for feature, of in stated.items() if number(of) <= number(version)]
        faults += own_code("sockless", version, selected(features), f" for {', '.join(features)}")
    for member, about in members.items():
        faults += own_code(member, about["rust_version"] or own["rust_version"], ["--all-features"])
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


def packages(member, features):
    """What these features of a package of the workspace bring into a build, without what tests need."""
    tree = cargo("tree", f"--package={member}", "--edges=normal,build", "--prefix=none", "--format={p}", *features)
    words = (line.split() for line in tree.splitlines() if line)
    found = {(name, version.removeprefix("v")) for name, version, *_ in words}
    return sorted(package for package in found if package[0] != member)


def own_code(member, version, features, meant=""):
    """What clippy finds in the code of a package of the workspace that is newer than stated."""
    with tempfile.TemporaryDirectory() as configuration:
        Path(configuration, "clippy.toml").write_text(f'msrv = "{version}"\n')
        lint = subprocess.run(
            ["cargo", "clippy", "--quiet", f"--package={member}", "--message-format=short", *features],
            cwd=ROOT,
            env={**os.environ, "CLIPPY_CONF_DIR": configuration},
            stderr=subprocess.PIPE,
            text=True,
        )
    # What else clippy finds is for other steps to say.
    found = [line for line in lint.stderr.splitlines() if re.search(r"current MSRV|error\[E", line)]
    return ["\n".join([f"{member}: our own code needs more than {version}{meant}:", *found])] if found else []


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
