"""A certificate to sign programs with, from a CA of the tests' own, and an RFC 3161 time stamp service beside it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.background import served
from tests.support.packages import require_apt
from tests.support.tools import run

PASSWORD = """pä$s "w'ord`x` \\"""
TSA = """
[tsa]
serial = {folder}/serial
signer_cert = {folder}/stamper.pem
signer_key = {folder}/stamper.key
certs = {folder}/ca.pem
default_policy = 1.2.3.4.1
signer_digest = sha256
digests = sha256
"""


class Authority:
    """A CA with a certificate for programs and one for time stamps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.requests = 0
        folder.mkdir(parents=True)
        usage: list[str | Path] = [
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign",
        ]
        new_key = ["openssl", "req", "-newkey", "rsa:2048", "-nodes"]
        run(
            [
                *new_key,
                "-x509",
                "-keyout",
                folder / "ca.key",
                "-out",
                self.ca,
                "-days",
                "30",
                "-subj",
                "/CN=Tests",
                *usage,
            ]
        )
        self._issue("signer", "codeSigning")
        self._issue("stamper", "timeStamping")
        (folder / "tsa.cnf").write_text(TSA.format(folder=folder), encoding="utf-8")
        (folder / "serial").write_text("01\n", encoding="ascii")
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        pfx = folder / "signer.pfx"
        key: list[str | Path] = ["-inkey", folder / "signer.key", "-in", folder / "signer.pem", "-certfile", self.ca]
        run(["openssl", "pkcs12", "-export", *key, "-passout", f"file:{folder / 'password'}", "-out", pfx])
        self.certificate = base64.b64encode(pfx.read_bytes()).decode()

    def _issue(self, name: str, purpose: str) -> None:
        key, request, extensions = (self.folder / f"{name}.{suffix}" for suffix in ("key", "csr", "ext"))
        run(
            ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}"]
        )
        extensions.write_text(f"extendedKeyUsage=critical,{purpose}\nkeyUsage=digitalSignature\n", encoding="ascii")
        authority: list[str | Path] = [
            "-CA",
            self.ca,
            "-CAkey",
            self.folder / "ca.key",
            "-CAcreateserial",
            "-days",
            "20",
        ]
        certificate = self.folder / f"{name}.pem"
        run(["openssl", "x509", "-req", "-in", request, *authority, "-out", certificate, "-extfile", extensions])

    def environment(self, timestamp_url: str) -> dict[str, str]:
        """Give what the build scripts read."""
        return {
            "SIGNING_CERTIFICATE": self.certificate,
            "SIGNING_CERTIFICATE_PASSWORD": PASSWORD,
            "SIGNING_TIMESTAMP_URL": timestamp_url,
        }

    @contextmanager
    def timestamps(self) -> Iterator[str]:
        """Serve time stamps at the URL that is given."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = authority.stamp(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, served(server):
            yield f"http://127.0.0.1:{server.server_port}/"

    def stamp(self, request: bytes) -> bytes:
        self.requests += 1
        query, reply = self.folder / f"{self.requests}.tsq", self.folder / f"{self.requests}.tsr"
        query.write_bytes(request)
        configuration: list[str | Path] = ["-config", self.folder / "tsa.cnf", "-section", "tsa"]
        run(["openssl", "ts", "-reply", *configuration, "-queryfile", query, "-out", reply])
        return reply.read_bytes()

    def verify(self, program: Path) -> bool:
        """Tell whether the program has a signature of ours with a time stamp of ours, and is as it was then."""
        require_apt("osslsigncode")
        trusted: list[str | Path] = ["-CAfile", self.ca, "-TSA-CAfile", self.ca]
        result = run(["osslsigncode", "verify", *trusted, "-in", program], returncode=None)
        stamped = "Timestamp Server Signature verification: ok" in result.stdout
        return result.returncode == 0 and stamped and "Signature verification: ok" in result.stdout
