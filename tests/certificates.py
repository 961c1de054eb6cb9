"""An authority and the certificates it gives to scheduler, workers and clients of a cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROLES = ("scheduler", "worker", "client")


def certified(folder: Path) -> dict[str, str]:
    """Settings of Dask's environment for a cluster that speaks TLS only; files in ``folder``."""
    folder.mkdir(parents=True)
    _openssl(folder, "req", "-x509", "-subj", "/CN=office", "-keyout", "ca.key", "-out", "ca.pem", *_NEW)
    settings = {"COMM__REQUIRE_ENCRYPTION": "true", "COMM__TLS__CA_FILE": str(folder / "ca.pem")}
    for role in ROLES:
        asked = ("-subj", f"/CN={role}", "-keyout", f"{role}.key", "-out", f"{role}.csr", *_NEW)
        _openssl(folder, "req", *asked)
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
        _openssl(folder, "x509", "-req", "-in", f"{role}.csr", "-out", f"{role}.pem", *signed)
        settings[f"COMM__TLS__{role.upper()}__CERT"] = str(folder / f"{role}.pem")
        settings[f"COMM__TLS__{role.upper()}__KEY"] = str(folder / f"{role}.key")
    return {f"DASK_DISTRIBUTED__{name}": value for name, value in settings.items()}


_NEW = ("-newkey", "rsa:2048", "-nodes")


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
