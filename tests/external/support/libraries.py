"""Libraries of others, installed by name under target/."""

import hashlib
import shutil
import subprocess
import venv
from pathlib import Path

TARGET = Path(__file__).resolve().parents[3] / "target" / "interop"
WEBSOCKETS = "websockets==17.4"
WS = "ws@8.23.0"


def python_with_websockets():
    """The interpreter of an environment that has Python's `websockets`."""
    return python_packages(TARGET / "venv", WEBSOCKETS)


def python_packages(home, *packages):
    """The interpreter of an environment in the folder `home` that has these packages."""
    python, recipe = home / "bin" / "python", " ".join(packages)
    if not made(home, recipe):
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(pip, check=True, timeout=600)
        made(home, recipe, now=True)
    return python


def node_modules():
    """The folder in which Node's `ws` is installed."""
    return node_packages(TARGET / "node", WS)


def node_packages(home, *packages):
    """The folder `home`, with these packages of Node installed in it."""
    recipe = " ".join(packages)
    if not made(home, recipe):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        npm = ["npm", "install", "--prefix", home, "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([*npm, *packages], check=True, timeout=600)
        made(home, recipe, now=True)
    return home


def made(home, recipe, now=False):
    """Whether a directory was made by this recipe; `now` says that it just was."""
    stamp, text = home / "made-by", hashlib.sha256(recipe.encode()).hexdigest()
    if now:
        stamp.write_text(text)
    return stamp.is_file() and stamp.read_text() == text
