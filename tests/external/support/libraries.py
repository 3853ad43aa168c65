"""Libraries of others that are peers, installed by name under target/interop/."""

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
    home = TARGET / "venv"
    python = home / "bin" / "python"
    if not made(home, WEBSOCKETS):
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", WEBSOCKETS]
        subprocess.run(pip, check=True, timeout=600)
        made(home, WEBSOCKETS, now=True)
    return python


def node_modules():
    """The folder in which Node's `ws` is installed."""
    home = TARGET / "node"
    if not made(home, WS):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        npm = ["npm", "install", "--prefix", home, "--no-save", "--no-audit", "--no-fund", "--loglevel=error", WS]
        subprocess.run(npm, check=True, timeout=600)
        made(home, WS, now=True)
    return home


def made(home, recipe, now=False):
    """Whether a directory was made by this recipe; `now` says that it just was."""
    stamp, text = home / "made-by", hashlib.sha256(recipe.encode()).hexdigest()
    if now:
        stamp.write_text(text)
    return stamp.is_file() and stamp.read_text() == text
