"""A certificate authority of the testbed's own, made with openssl: new keys for every run, thrown away after it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import TestbedError
from .lab import Requirement

__all__ = ["OPENSSL", "Authority", "Identity"]

OPENSSL = Requirement(name="openssl", executable="openssl", package="apt: openssl", version=("openssl", "version"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Paths of a certificate and its key (PEM)."""

    certificate: Path
    key: Path


class Authority:
    """Issues P-256 certificates for servers and clients.

    Parameters
    ----------
    folder : Path
        Where all files go.
    name : str
        Common name of the authority.
    """

    def __init__(self, folder: Path, name: str = "Example Root CA") -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "ca.crt"
        self._key = folder / "ca.key"
        self._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"),
            *("-subj", f"/O=Example/CN={name}", "-keyout", str(self._key), "-out", str(self.certificate)),
        )

    def issue(self, name: str, *, usage: str, address: str | None = None) -> Identity:
        """Issue a certificate.

        Parameters
        ----------
        name : str
            Common name and DNS name.
        usage : str
            ``serverAuth`` or ``clientAuth``.
        address : str, optional
            An IP address it is also valid for.
        """
        identity = Identity(certificate=self._folder / f"{name}.crt", key=self._folder / f"{name}.key")
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        names = f"DNS:{name}" + (f",IP:{address}" if address else "")
        extensions.write_text(
            f"basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage={usage}\nsubjectAltName={names}\n",
            encoding="utf-8",
        )
        self._openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", str(identity.key), "-out", str(request)),
        )
        self._openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self._key)),
            *("-CAcreateserial", "-days", "20", "-extfile", str(extensions), "-out", str(identity.certificate)),
        )
        return identity

    @staticmethod
    def _openssl(*argv: str) -> None:
        done = subprocess.run(["openssl", *argv], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise TestbedError(f"openssl {argv[0]} failed: {done.stderr.strip()[-500:]}")
