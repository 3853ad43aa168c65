"""Proxies of others with the configurations of a page of the documentation, each started for one check on loopback."""

import contextlib
import os
import re
from collections import namedtuple

from loopback import accepts, free_port, process, tail

# What is replaced in the page's text, and each has to be there: where the proxy listens, where the server is, and a silence
# that ends sooner. Without a line of `needed`, a page of the same host gets that status; without a server it is
# `no_server`.
Proxy = namedtuple("Proxy", "language listen idle needed no_server command around")

# Seconds of silence after which each ends a connection here.
IDLE = {"nginx": 1, "haproxy": 1, "apache": 1, "caddy": None}

PROXIES = {
    "nginx": Proxy(
        "nginx", ("listen 80;", "listen 127.0.0.1:{port};"), ("75s", "1s"),
        {"proxy_set_header Host $http_host;": 403, "proxy_set_header Upgrade $http_upgrade;": 426}, 502,
        "nginx -p {folder} -c {file}", """
daemon off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
access_log off;
client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{text}
}}
"""),
    "haproxy": Proxy(
        "haproxy", ("bind :80", "bind 127.0.0.1:{port}"), ("timeout tunnel 75s", "timeout tunnel 1s"), {}, 503,
        "haproxy -db -f {file}", "{text}"),
    "apache": Proxy(
        "apache", ("<VirtualHost *:80>", "Listen 127.0.0.1:{port}\n<VirtualHost *>"), ("Timeout 75", "Timeout 1"),
        {"ProxyPreserveHost On": 403, "upgrade=websocket": 426}, 503,
        "apache2 -D FOREGROUND -f {file}", """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog /dev/stderr
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
{text}
"""),
    "caddy": Proxy(
        "caddyfile", ("example.com {", "http://:{port} {{\n    bind 127.0.0.1"), None, {}, 502,
        "caddy run --adapter caddyfile --config {file}", "{{\nadmin off\n}}\n{text}"),
}


class Page:
    """The blocks of code of a page."""

    def __init__(self, file):
        self.blocks = dict(re.findall(r"^```(\S+)\n(.*?)^```$", file.read_text(), re.DOTALL | re.MULTILINE))

    def configuration(self, about, port, server, without):
        """For these addresses, and without a line or a part of one."""
        text = self.blocks[about.language]
        listen = (about.listen[0], about.listen[1].format(port=port))
        for old, new in filter(None, ((without or "", ""), listen, ("127.0.0.1:9001", server), about.idle)):
            if old not in text:
                raise ValueError(f"the page does not say `{old}`")
            text = text.replace(old, new) if old else text
        return text


@contextlib.contextmanager
def proxy(name, page, server, target, without=None):
    """Its port, while it runs in front of the server with this address."""
    about, port = PROXIES[name], free_port()
    folder = target / name
    folder.mkdir(exist_ok=True)
    file, log = folder / "configuration", folder / "log"
    file.write_text(about.around.format(folder=folder, text=page.configuration(about, port, server, without)))
    command = [part.format(folder=folder, file=file) for part in about.command.split()]
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with process(command, log, env=environment) as started:
        if not accepts(port, started):
            raise OSError(f"{name} does not accept connections: {tail(log)}")
        yield port
