"""Certificates for the stand-ins: an authority, a server, and clients that it knows and does not know."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files in one directory."""

    directory: Path

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    def cert(self, name: str) -> Path:
        return self.directory / f"{name}.pem"

    def key(self, name: str) -> Path:
        return self.directory / f"{name}.key"

    def words(self, name: str) -> list[str]:
        """As the servers' command lines take them."""
        return ["--cacert", str(self.ca), "--cert", str(self.cert(name)), "--key", str(self.key(name))]

    def options(self, name: str) -> dict[str, str]:
        """As ``[subject.tikv]`` takes them."""
        return {"tls_ca": str(self.ca), "tls_cert": str(self.cert(name)), "tls_key": str(self.key(name))}


def make_certificates(directory: Path) -> Certificates:
    """``server``, ``operator``, and ``stranger``, whom another authority signed. Skips where there is no openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian: apt-get install openssl)")
    made = Certificates(directory)
    for authority in ("ca", "other-ca"):
        _request(made, authority, ())
    _request(made, "server", ("-addext", "subjectAltName=IP:127.0.0.1"), "ca")
    _request(made, "operator", (), "ca")
    _request(made, "stranger", (), "other-ca")
    return made


def _request(made: Certificates, name: str, words: Sequence[str], authority: str = "") -> None:
    signed = ["-CA", str(made.cert(authority)), "-CAkey", str(made.key(authority))] if authority else []
    leaf = ["-addext", "basicConstraints=critical,CA:FALSE"] if authority else []
    command = ["openssl", "req", "-x509", *_KEY, "-subj", f"/CN={name}", *signed, *leaf, *words]
    command += ["-keyout", str(made.key(name)), "-out", str(made.cert(name))]
    subprocess.run(command, check=True, capture_output=True)
