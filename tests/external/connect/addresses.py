"""Hosts with several addresses, of which some swallow everything: each costs 250 ms, not a timeout (RFC 8305)."""

import contextlib
import os
import shutil
import socket
import sys

from client import expect, opened
from peers import TARGET, tinyproxy, websockets_servers
from tls import of

ALIVE = "127.0.0.2"
DELAY = 250  # milliseconds (RFC 8305 section 5)

# Of each host the addresses in the order in which they are tried, but for the one that is alive and comes last.
HOLES = {
    "hole.test": ["127.0.0.1"],
    "hole6.test": ["::1"],
    "holes.test": ["::1", "127.0.0.1"],
}


# Runs a command where every question to a name server stays without an answer.
SILENT = """
import fcntl, socket, struct, subprocess, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(server, 0x8914, struct.pack("16sh22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
server.bind(("127.0.0.1", 53))
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
sys.exit(subprocess.run(sys.argv[2:]).returncode)
"""


def check_addresses(checks, client, certificates):
    checks.run("the name server is silent", lambda: looked_up_for_ever(
        client("ws://server.example/", "--opening-time", "1000", before=silent_name_server())))
    client = client.with_options("--cacert", certificates.pem("ca"))
    before = own_hosts()
    settings = {"ws": None, "wss": of(certificates, ("good", None, None))}
    with websockets_servers(settings, ALIVE) as servers:
        def connect(scheme, host, *options):
            return client(f"{scheme}://{host}:{servers[scheme]}/", *options, before=before)

        for scheme, port in servers.items():
            checks.run(f"{scheme}: addresses that refuse cost nothing", lambda: delayed(connect(scheme, "holes.test"), 0))
            for host, holes in HOLES.items():
                with swallowing(holes, port):
                    checks.run(f"{scheme}: {' and '.join(holes)} swallow everything", lambda: delayed(
                        connect(scheme, host), len(holes)))
        with swallowing(["::1", "127.0.0.1"], servers["ws"]):
            checks.run("all addresses swallow everything", lambda: timed_out(
                connect("ws", "nothing.test", "--opening-time", "1000")))
        with tinyproxy(address=ALIVE) as proxy, swallowing(["::1"], proxy):
            checks.run("an address of the proxy swallows everything", lambda: delayed(
                connect("ws", ALIVE, "--proxy", f"http://hole6.test:{proxy}"), 1))


def delayed(report, holes):
    opened(report)
    if not DELAY * holes <= report["ms"] < DELAY * holes + 500:
        raise AssertionError(f"{report['ms']} ms for {holes} addresses")


def timed_out(report):
    expect(report, result="timed out", stage="connecting")
    if not 1000 <= report["ms"] < 2000:
        raise AssertionError(f"{report['ms']} ms")


def looked_up_for_ever(report):
    expect(report, result="timed out", stage="resolving")
    # Nor does the program wait for the resolver when it ends.
    if not 1000 <= report["ms"] < 2000 or report["seconds"] >= 4:
        raise AssertionError(f"{report['ms']} ms, and {report['seconds']} s until the end")


def silent_name_server():
    """A command that runs another in a network of its own, in which the only name server says nothing."""
    file = TARGET / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\noptions timeout:10\n")
    return [*unshared("--net"), sys.executable, "-c", SILENT, file]


def own_hosts():
    """A command that runs another with these hosts, and leaves those of the system alone."""
    file = TARGET / "hosts"
    hosts = {**{host: [*holes, ALIVE] for host, holes in HOLES.items()}, "nothing.test": HOLES["holes.test"]}
    file.write_text("".join(f"{address} {host}\n" for host, addresses in hosts.items() for address in addresses))
    script = 'mount --bind "$1" /etc/hosts; shift; exec "$@"'
    return [*unshared(), "/bin/sh", "-ec", script, "sh", file]


def unshared(*namespaces):
    """A command that runs another where it may mount files of its own."""
    unshare = shutil.which("unshare")
    if unshare is None:
        raise OSError("there is no unshare here")
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    return [unshare, *rights, "--mount", *namespaces]


@contextlib.contextmanager
def swallowing(addresses, port):
    """On this port of these addresses, connections are neither accepted nor refused: their backlogs are full."""
    with contextlib.ExitStack() as stack:
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = stack.enter_context(socket.socket(family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(0)
            for _ in range(100):
                filling = stack.enter_context(socket.socket(family))
                filling.settimeout(0.3)
                try:
                    filling.connect((address, port))
                except TimeoutError:
                    break
            else:
                raise OSError("the backlog has no end")
        yield
