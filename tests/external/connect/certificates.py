"""Certificates made by openssl, in a folder that is made anew for each run."""

import shutil
import subprocess

CONFIG = """
[ca]
default_ca = default
[default]
database = {home}/index
new_certs_dir = {home}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = policy
copy_extensions = copy
[policy]
commonName = supplied
[req]
distinguished_name = name
[name]
"""
HERE_NAMES = "DNS:localhost,DNS:hole.test,DNS:hole6.test,DNS:holes.test,IP:127.0.0.1,IP:::1"
VALID = ("20200101000000Z", "20490101000000Z")
OVER = ("20200101000000Z", "20210101000000Z")


class Certificates:
    """Authorities `ca` and `other`, and what they certify. `self.pem(name)` and `self.key(name)` are files."""

    def __init__(self, home):
        self.home = home
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / "index").touch()
        self.config = home / "openssl.cnf"
        self.config.write_text(CONFIG.format(home=home))
        for authority in ("ca", "other"):
            self.self_signed(authority, f"{authority} of the suite", "critical,CA:TRUE", None)
        # What `openssl req -x509` makes of a server's own: not an authority, and as it does without being told.
        self.self_signed("self", "self of the suite", "critical,CA:FALSE", HERE_NAMES)
        self.self_signed("selfca", "selfca of the suite", "critical,CA:TRUE", HERE_NAMES)
        self.certified("good", "ca", HERE_NAMES)
        self.certified("expired", "ca", HERE_NAMES, OVER)
        self.certified("misnamed", "ca", "DNS:elsewhere.example")
        self.certified("unknown", "other", HERE_NAMES)
        self.certified("client", "ca", "DNS:client.example")
        self.certified("stranger", "other", "DNS:client.example")

    def pem(self, name):
        return self.home / f"{name}.pem"

    def key(self, name):
        return self.home / f"{name}.key"

    def self_signed(self, name, subject, constraints, names):
        more = ["-addext", f"subjectAltName={names}"] if names else []
        self.request(name, subject, "-x509", "-days", "3650", "-addext", f"basicConstraints={constraints}", *more,
                     out=self.pem(name))

    def certified(self, name, authority, names, days=VALID):
        request = self.home / f"{name}.csr"
        self.request(name, name, "-addext", f"subjectAltName={names}", out=request)
        openssl("ca", "-batch", "-notext", "-config", self.config, "-in", request, "-out", self.pem(name),
                "-cert", self.pem(authority), "-keyfile", self.key(authority), "-startdate", days[0], "-enddate", days[1])

    def request(self, name, subject, *arguments, out):
        openssl("req", "-new", "-config", self.config, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-subj", f"/CN={subject}", "-keyout", self.key(name), "-out", out, *arguments)


def openssl(*arguments):
    made = subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    if made.returncode != 0:
        raise OSError(f"openssl {arguments[0]}: {made.stdout.decode(errors='replace')[-300:]}")
