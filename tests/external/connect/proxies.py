"""`ws:` and `wss:` through proxies of others, with and without credentials."""

import contextlib

from client import expect, opened
from loopback import free_port
from peers import dante, microsocks, squid, tinyproxy, tls_in_front, websockets_servers

USER = ("us", "word")
WRONG = ("us", "other")


def check_proxies(checks, client, certificates):
    suspicious = client.with_options("--cacert", certificates.pem("other"))
    client = client.with_options("--cacert", certificates.pem("ca"))
    settings = {"ws": None, "wss": {
        "certificate": str(certificates.pem("good")), "key": str(certificates.key("good")), "clients": None, "version": None,
    }}
    with contextlib.ExitStack() as stack:
        def start(proxy, *arguments):
            return stack.enter_context(proxy(*arguments))

        servers = start(websockets_servers, settings)
        suite = Suite(checks, client, servers)
        for name, proxy in (("tinyproxy", tinyproxy), ("squid", squid)):
            free, guarded = start(proxy), start(proxy, USER)
            suite.http(name, "http", free, guarded)
            front, guarded_front = start(tls_in_front, free, certificates), start(tls_in_front, guarded, certificates)
            suite.http(f"stunnel and {name}", "https", front, guarded_front)
            checks.run(f"stunnel and {name}: its certificate is not trusted",
                       lambda: expect(suspicious(suite.url("ws"), "--proxy", f"https://127.0.0.1:{front}"),
                                      result="proxy: TLS", stage="proxy", error="UnknownIssuer"))
            # tinyproxy waits for the end of a line.
            outcome = "timed out" if name == "tinyproxy" else "proxy: TLS"
            checks.run(f"{name}: TLS where there is none",
                       lambda: expect(suite.through("ws", "https", free, options=("--opening-time", "1000")),
                                      result=outcome, stage="proxy"))
        suite.socks("microsocks", start(microsocks), start(microsocks, USER))
        suite.socks("dante", start(dante), None)
        for scheme in ("http", "https", "socks5", "socks5h"):
            checks.run(f"no proxy is there, {scheme}",
                       lambda: expect(suite.through("ws", scheme, free_port()), result="proxy: unreachable",
                                      stage="proxy"))


class Suite:
    def __init__(self, checks, client, servers):
        self.checks = checks
        self.client = client
        self.servers = servers

    def url(self, scheme, host="127.0.0.1", port=None):
        return f"{scheme}://{host}:{port or self.servers[scheme]}/"

    def through(self, scheme, proxy_scheme, proxy_port, user=None, options=(), **url):
        credentials = f"{user[0]}:{user[1]}@" if user else ""
        proxy = f"{proxy_scheme}://{credentials}127.0.0.1:{proxy_port}"
        return self.client(self.url(scheme, **url), "--proxy", proxy, *options)

    def both_ways(self, name, proxy_scheme, port, user=None):
        for scheme in ("ws", "wss"):
            for host in ("127.0.0.1", "localhost"):
                self.checks.run(f"{name}: {scheme} to {host}", lambda: opened(
                    self.through(scheme, proxy_scheme, port, user, ("--echo", "1"), host=host)))

    def http(self, name, proxy_scheme, free, guarded):
        self.both_ways(name, proxy_scheme, free)
        self.both_ways(f"{name} with credentials", proxy_scheme, guarded, USER)
        for what, user in (("without credentials", None), ("with wrong credentials", WRONG)):
            # tinyproxy's own answer to wrong ones.
            status = 401 if "tinyproxy" in name and user else 407
            self.checks.run(f"{name} {what}", lambda: expect(
                self.through("ws", proxy_scheme, guarded, user), result="proxy: rejected", stage="proxy", status=status,
                challenges=["Basic"]))
        self.checks.run(f"{name}: credentials that nobody asks for", lambda: opened(
            self.through("wss", proxy_scheme, free, USER)))
        self.checks.run(f"{name}: no server is there", lambda: server_down(
            self.through("ws", proxy_scheme, free, port=free_port())))

    def socks(self, name, free, guarded):
        for scheme in ("socks5", "socks5h"):
            self.both_ways(f"{name}, {scheme}", scheme, free)
            self.checks.run(f"{name}, {scheme}: credentials that nobody asks for", lambda: opened(
                self.through("ws", scheme, free, USER)))
            self.checks.run(f"{name}, {scheme}: no server is there", lambda: expect(
                self.through("ws", scheme, free, port=free_port()), result="proxy: refused", stage="proxy",
                error="refused"))
            if guarded is None:
                continue
            self.both_ways(f"{name}, {scheme} with credentials", scheme, guarded, USER)
            for what, user, error in (("without", None, "method"), ("with wrong", WRONG, "password")):
                self.checks.run(f"{name}, {scheme} {what} credentials", lambda: expect(
                    self.through("ws", scheme, guarded, user), result="proxy: refused", stage="proxy", error=error))
        self.checks.run(f"{name}: a name that is not there", lambda: expect(
            self.through("ws", "socks5h", free, host="server.invalid"), result="proxy: refused", stage="proxy"))


def server_down(report):
    expect(report, result="proxy: rejected", stage="proxy")
    if report["status"] // 100 != 5:
        raise AssertionError(f"no 5xx: {report}")
