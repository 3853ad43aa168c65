"""Rewrites the installed `autobahntestsuite`, which is Python 2 source, so that it runs on Python 3.

Run by the interpreter of the virtual environment, once. The suite thinks in byte strings; the port keeps it that way by
reading every string of the suite as latin-1 text, one character a byte, and by converting only where the suite meets
`autobahn`, `hashlib` and `binascii`: in the rewritten lines below and in `wstest.py`.
"""

import importlib.util
import re
import shutil
import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
try:
    from lib2to3.refactor import RefactoringTool

    FIXERS_AT = "lib2to3.fixes.fix_"
except ImportError:  # gone since Python 3.13
    from fissix.refactor import RefactoringTool

    FIXERS_AT = "fissix.fixes.fix_"

FIXERS = ["except", "has_key", "ne", "numliterals", "print", "raise", "repr", "unicode", "xrange"]

# Becomes the module `autobahntestsuite.py2`: Python 2's strings.
PY2 = '''"""Byte strings as latin-1 text, for the ported suite."""
import binascii


def to_bytes(text):
    return text.encode("latin-1") if isinstance(text, str) else bytes(text)


def to_text(data):
    return bytes(data).decode("latin-1") if isinstance(data, (bytes, bytearray, memoryview)) else data


def to_hex(data):
    return binascii.hexlify(to_bytes(data)).decode("ascii")


def encode_utf8(text):
    return to_text(text.encode("utf-8"))


def decode_utf8(data, errors="strict"):
    return to_bytes(data).decode("utf-8", errors)
'''

# Rules that any file may need: (pattern, replacement).
ANYWHERE = [
    (r"\(object, Case, ?\)", "(Case,)"),
    (r"binascii\.(b2a_hex|hexlify)\(", "py2.to_hex("),
    (r"^(\s+)implements\(.*\)\s*$", r"\1pass"),
    (r"^from zope\.interface import implements$", ""),
    (r"^from (case|caseset|report|interfaces|spectemplate|_version) import", r"from autobahntestsuite.\1 import"),
]

IN_CASES = [
    (r"^from (case[0-9][0-9A-Za-z_]*) import", r"from autobahntestsuite.case.\1 import"),
    (r"^from autobahntestsuite\.case import Case$", "from autobahntestsuite.case.case import Case"),
]

# Rules for one file; each must find its place, so that another version of the suite cannot be ported by half.
IN_FILE = {
    "case/case.py": [
        (r"pickle\.dumps\(obj1\) == pickle\.dumps\(obj2\)", "obj1 == obj2"),
    ],
    "case/case6_x_x.py": [
        (r"validator\.validate\(s\[1\]\)", "validator.validate(py2.to_bytes(s[1]))"),
        (r"v\.validate\(vss\[:i\]\)", "v.validate(py2.to_bytes(vss[:i]))"),
    ],
    "case/case10_1_1.py": [
        (r"len\(self\.payload\) / self", "len(self.payload) // self"),
    ],
    "case/case12_x_x.py": [
        (r"copy, os, pkg_resources, hashlib", "copy, os, hashlib"),
        (r"pkg_resources\.resource_filename\(\"autobahntestsuite\", (.*)\)$",
         r"os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), \1)"),
        (r"open\(fn, 'rb'\)\.read\(\)", "py2.to_text(open(fn, 'rb').read())"),
        (r"(payload|msg)\.decode\('utf-8'\)", r"py2.decode_utf8(\1)"),
        (r"msg\.encode\('utf-8'\)", "py2.encode_utf8(msg)"),
        (r"m\.update\(msg\)", "m.update(py2.to_bytes(msg))"),
        # Names that `autobahn` changed since.
        (r"requestNoContextTakeover(?= =)", "request_no_context_takeover"),
        (r"requestMaxWindowBits(?= =)", "request_max_window_bits"),
        (r"x\.requestNoContextTakeover", "x.request_no_context_takeover"),
        (r"x\.requestMaxWindowBits", "x.request_max_window_bits"),
        (r"offer\.acceptNoContextTakeover", "offer.accept_no_context_takeover"),
        (r"offer\.acceptMaxWindowBits", "offer.accept_max_window_bits"),
    ],
    "fuzzing.py": [
        (r", textwrap, pkg_resources", ", textwrap"),
        (r"pkg_resources\.resource_filename\(\"autobahntestsuite\",\s*\"web/fuzzingserver\"\)",
         "os.path.join(os.path.dirname(os.path.abspath(__file__)), 'web/fuzzingserver')"),
        (r"dd\.decode\('utf8', errors = 'replace' if replace else 'strict'\)",
         "py2.decode_utf8(dd, 'replace' if replace else 'strict')"),
        (r"^(\s+)ellipses = \" \.\.\.\"$", r'\1ellipses = " ..."; data = py2.to_text(data)'),
        (r"''\.join\(payload\)", "py2.to_text(b''.join(py2.to_bytes(x) for x in payload))"),
        (r"\.encode\(['\"]utf-?8['\"]\)", ""),
        (r"open\(os\.path\.join\(outdir, report_filename\), 'w'\)",
         "open(os.path.join(outdir, report_filename), 'w', encoding='utf-8', errors='surrogateescape')"),
        (r"py2\.to_hex\(t\[6\]\)", "str(t[6])"),
        (r"\"(localCloseReason|remoteCloseReason)\": self\.\w+", r'"\1": py2.to_text(self.\1)'),
        (r"self\.(http_request_data|http_response_data) if", r"py2.to_text(self.\1) if"),
        # What `autobahn` changed since.
        (r"(WebSocket(?:Server|Client)Factory)\.__init__\(self, debug = debug, debugCodePaths = debug\)",
         r"\1.__init__(self)"),
        (r"\bself\.debug\b", "False"),
        (r"self\.failConnection\(\)", "self._fail_connection()"),
    ],
}


def main():
    root = Path(importlib.util.find_spec("autobahntestsuite").origin).parent
    fixers = RefactoringTool([FIXERS_AT + name for name in FIXERS])
    cases = sorted(path.relative_to(root).as_posix() for path in (root / "case").glob("*.py"))
    for name in ["caseset.py", "fuzzing.py", *cases]:
        port_source(root / name, name, fixers)
    port_report(root / "report.py")
    (root / "py2.py").write_text(PY2, encoding="utf-8")
    version = re.search(r"__version__ = [\"'](.*)[\"']", read(root / "_version.py")).group(1)
    (root / "__init__.py").write_text(f"version = __version__ = {version!r}\n", encoding="utf-8")
    # A rewritten file may have the size and second of the original, and then its old byte code would still count.
    for cache in root.rglob("__pycache__"):
        shutil.rmtree(cache)
    print(f"ported autobahntestsuite {version} to Python {sys.version.split()[0]}")


def port_source(path, name, fixers):
    source = re.sub(r"^#.*coding[:=].*$", "#", read(path), count=1, flags=re.M)
    source = str(fixers.refactor_string(source, name))
    for pattern, replacement in ANYWHERE + (IN_CASES if name.startswith("case/") else []):
        source = re.sub(pattern, replacement, source, flags=re.M)
    for pattern, replacement in IN_FILE.get(name, []):
        source, found = re.subn(pattern, replacement, source, flags=re.M)
        if not found:
            sys.exit(f"{name}: nothing matches {pattern!r}; this is not the suite that the port was written for")
    source = "from autobahntestsuite import py2\n" + source
    compile(source, name, "exec")
    path.write_text(source, encoding="utf-8")


def port_report(path):
    """Only the constants for the HTML reports are needed."""
    source = read(path).split("from zope.interface import implementer")[0]
    source = re.sub(r"^import jinja2$", "", source, flags=re.M)
    source = re.sub(r"= 0([0-7]{3})$", r"= 0o\1", source, flags=re.M)
    compile(source, path.name, "exec")
    path.write_text(source, encoding="utf-8")


def read(path):
    source = path.read_text(encoding="latin-1").replace("\r\n", "\n")
    return source if source.endswith("\n") else source + "\n"


if __name__ == "__main__":
    main()
