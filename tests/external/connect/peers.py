"""Servers and proxies of others, each started for one run on loopback and ended with it."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "interop")]

from libraries import node_modules, python_with_websockets  # noqa: E402
from loopback import accepts, announced_address, free_port, process, tail  # noqa: E402

TARGET = HERE.parents[2] / "target" / "connect"


@contextlib.contextmanager
def websockets_servers(servers, address="127.0.0.1"):
    """Of each server its port, while they run."""
    command = [python_with_websockets(), HERE / "server_websockets.py", address]
    with scripted("websockets", command, servers) as ports:
        yield ports


@contextlib.contextmanager
def ws_servers(servers):
    environment = {**os.environ, "INTEROP_MODULES": str(node_modules())}
    with scripted("ws", ["node", HERE / "server_ws.mjs"], servers, env=environment) as ports:
        yield ports


@contextlib.contextmanager
def scripted(name, command, servers, **options):
    file, log = TARGET / f"{name}.json", TARGET / f"{name}.log"
    file.write_text(json.dumps(servers, default=str))
    with process([*command, file], log, stdout=subprocess.PIPE, **options) as server:
        ports = announced_address(server)
        if ports is None:
            raise OSError(f"the server {name} did not start: {tail(log)}")
        yield json.loads(ports)


@contextlib.contextmanager
def nginx_servers(servers, behind):
    """nginx in front of the server on the port `behind`."""
    ports = {name: free_port() for name in servers}
    text = "\n".join(nginx_server(settings, ports[name], behind) for name, settings in servers.items())
    with daemon("nginx", lambda file: ["nginx", "-p", TARGET, "-c", file, "-g", "daemon off;"], f"""
pid {TARGET}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  {"".join(f"{kind}_temp_path {TARGET}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))}
  {text}
}}
""", ports.values()):
        yield ports


def nginx_server(settings, port, behind):
    if settings is None:
        listen = f"listen 127.0.0.1:{port};"
    else:
        listen = f"listen 127.0.0.1:{port} ssl; ssl_certificate {settings['certificate']}; " \
                 f"ssl_certificate_key {settings['key']};"
        if settings["clients"]:
            listen += f" ssl_client_certificate {settings['clients']}; ssl_verify_client on;"
        listen += f" ssl_protocols {'TLSv' + settings['version'] if settings['version'] else 'TLSv1.2 TLSv1.3'};"
    return f"""server {{
    {listen}
    location / {{
      proxy_pass http://127.0.0.1:{behind};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
    }}
  }}"""


@contextlib.contextmanager
def tinyproxy(credentials=None, address="127.0.0.1"):
    port = free_port()
    more = f"BasicAuth {credentials[0]} {credentials[1]}\n" if credentials else ""
    with daemon("tinyproxy", lambda file: ["tinyproxy", "-d", "-c", file], f"""
Port {port}
Listen {address}
Timeout 60
MaxClients 20
LogLevel Warning
{more}""", [port], address):
        yield port


@contextlib.contextmanager
def squid(credentials=None):
    port = free_port()
    access = "http_access allow all"
    if credentials:
        users = TARGET / "squid.users"
        hashed = subprocess.run(["openssl", "passwd", "-apr1", credentials[1]], check=True, capture_output=True, text=True)
        users.write_text(f"{credentials[0]}:{hashed.stdout.strip()}\n")
        users.chmod(0o644)
        access = f"""
auth_param basic program /usr/lib/squid/basic_ncsa_auth {users}
auth_param basic realm squid of the suite
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all"""
    with daemon("squid", lambda file: ["squid", "-N", "-f", file], f"""
http_port 127.0.0.1:{port}
pid_filename none
cache deny all
cache_mem 8 MB
access_log none
cache_log /dev/stderr
coredump_dir none
shutdown_lifetime 0 seconds
pinger_enable off
visible_hostname squid.test
max_filedescriptors 1024
{access}
""", [port]):
        yield port


@contextlib.contextmanager
def tls_in_front(port, certificates):
    """stunnel with the certificate `good` in front of this port."""
    front = free_port()
    with daemon("stunnel", lambda file: ["stunnel4", file], f"""
foreground = yes
pid =
debug = warning
[front]
accept = 127.0.0.1:{front}
connect = 127.0.0.1:{port}
cert = {certificates.pem("good")}
key = {certificates.key("good")}
""", [front]):
        yield front


@contextlib.contextmanager
def microsocks(credentials=None):
    port = free_port()
    more = ["-u", credentials[0], "-P", credentials[1]] if credentials else []
    with daemon("microsocks", lambda _: ["microsocks", "-i", "127.0.0.1", "-p", str(port), *more], "", [port]):
        yield port


@contextlib.contextmanager
def dante():
    port = free_port()
    with daemon("dante", lambda file: ["danted", "-f", file, "-p", TARGET / "dante.pid"], f"""
logoutput: stderr
internal: 127.0.0.1 port = {port}
external: lo
clientmethod: none
socksmethod: none
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 command: connect }}
""", [port]):
        yield port


@contextlib.contextmanager
def daemon(name, command, text, ports, address="127.0.0.1"):
    """A program with its settings in a file of this text, while it runs; first it must accept connections on the ports."""
    file, log = (TARGET / f"{name}-{min(ports)}.{kind}" for kind in ("conf", "log"))
    file.write_text(text)
    with process(command(file), log) as server:
        for port in ports:
            if not accepts(port, server, address=address):
                raise OSError(f"{name} does not accept connections: {tail(log)}")
        yield
        if server.poll() is not None:
            raise OSError(f"{name} ended: {tail(log)}")
