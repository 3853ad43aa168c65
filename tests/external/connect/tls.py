"""`wss:` against servers of others: who is trusted, who is let in, and which versions there are."""

import contextlib

from client import expect, opened
from peers import nginx_servers, websockets_servers, ws_servers

# The servers of each peer: certificate, whose clients it lets in, version of TLS.
SERVERS = {
    "plain": None,
    "good": ("good", None, None),
    "1.2": ("good", None, "1.2"),
    "1.3": ("good", None, "1.3"),
    "expired": ("expired", None, None),
    "self": ("self", None, None),
    "selfca": ("selfca", None, None),
    "misnamed": ("misnamed", None, None),
    "unknown": ("unknown", None, None),
    "clients-1.2": ("good", "ca", "1.2"),
    "clients-1.3": ("good", "ca", "1.3"),
}

# What nobody may take for good: server, whom the client trusts (or nothing: as the system), words of the error.
REFUSED = [
    ("expired", "ca", "expired"),
    ("self", "ca", "UnknownIssuer"),
    ("self", None, "UnknownIssuer"),
    ("selfca", "ca", "invalid peer certificate"),
    ("misnamed", "ca", "not valid for name"),
    ("unknown", "ca", "UnknownIssuer"),
    ("good", "other", "UnknownIssuer"),
    ("good", None, "UnknownIssuer"),
]


def check_tls(checks, client, certificates):
    settings = {name: of(certificates, server) for name, server in SERVERS.items()}
    with contextlib.ExitStack() as stack:
        websockets = stack.enter_context(websockets_servers(settings))
        nginx = nginx_servers(settings, websockets["plain"])
        peers = {
            "websockets": websockets,
            "ws": stack.enter_context(ws_servers(settings)),
            "nginx": stack.enter_context(nginx),
        }
        for peer, ports in peers.items():
            check_peer(checks, client, certificates, peer, ports)


def of(certificates, server):
    if server is None:
        return None
    name, clients, version = server
    return {
        "certificate": str(certificates.pem(name)),
        "key": str(certificates.key(name)),
        "clients": clients and str(certificates.pem(clients)),
        "version": version,
    }


def check_peer(checks, client, certificates, peer, ports):
    def url(server, host="127.0.0.1", scheme="wss"):
        return f"{scheme}://{host}:{ports[server]}/"

    def trusting(authority):
        return client.with_options("--cacert", certificates.pem(authority)) if authority else client

    def check(name, body):
        checks.run(f"{peer}: {name}", body)

    ours = trusting("ca")
    check("a trusted certificate", lambda: opened(ours(url("good"), "--echo", "2")))
    check("without compression", lambda: opened(ours(url("good"), "--echo", "1", "--no-deflate")))
    check("by the name of the host", lambda: opened(ours(url("good", host="localhost"), "--echo", "1")))
    check("the server closes", lambda: opened(ours(url("good"), "--say", "close", "--stay", "20000")))
    for version in ("1.2", "1.3"):
        check(f"TLS {version} alone", lambda: opened(ours(url(version), "--echo", "1")))
    check("a certificate that is trusted itself", lambda: opened(trusting("self")(url("self"), "--echo", "1")))
    for server, authority, words in REFUSED:
        report = lambda: trusting(authority)(url(server))
        check(f"{server}, {authority or 'as the system'} is trusted",
              lambda: expect(report(), result="TLS", stage="tls", error=words))
    for version in ("1.2", "1.3"):
        server = f"clients-{version}"
        check(f"a client with a certificate, TLS {version}",
              lambda: opened(ours(url(server), *identity(certificates, "client"), "--echo", "1")))
        for who, options in (("none", ()), ("one of a stranger", identity(certificates, "stranger"))):
            check(f"a client with {who}, TLS {version}", lambda: refused_client(peer, version, who, ours(url(server), *options)))
    check("TLS where there is none", lambda: expect(ours(url("plain")), result="TLS", stage="tls"))
    check("no TLS where there is some", lambda: expect(client(url("good", scheme="ws")), stage="handshake"))


def identity(certificates, name):
    return "--cert", certificates.pem(name), "--key", certificates.key(name)


def refused_client(peer, version, who, report):
    if peer == "nginx":
        # It sets TLS up with everyone, and says no in HTTP.
        expect(report, result="rejected", stage="handshake", status=400, body="SSL certificate")
    elif version == "1.3" and (peer, who) != ("ws", "none"):
        # Python's asyncio ends or resets TCP without telling why, and Node does so with certificates of strangers. In
        # TLS 1.3 the client is done by then.
        expect(report, result="handshake", stage="handshake")
    else:
        expect(report, result="TLS", stage="tls")
