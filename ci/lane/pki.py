"""The lane's certificates: one authority, and a key and certificate for everyone who speaks to somebody.

They are made anew for each lane, and worth nothing elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.lane.place import Lane
from harness.base import procs

AUTHORITY = "ca"
DNS_USER = "vtchaos-lane-dns"
SERVICE_ACCOUNTS = "service-accounts"
TIMEOUT_S = 30.0
DAYS = 3650
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Who (`subject` in OpenSSL's spelling), for what (`usage`), and a server's names and addresses."""

    name: str
    subject: str
    usage: str = "clientAuth"
    names: str = ""


CLIENTS = ("admin", "controller-manager", "scheduler", "proxy", "dns", "kubelet")


def certificates(lane: Lane) -> tuple[Certificate, ...]:
    """Of two servers, and of everyone who speaks to the API server, or is it and speaks to the kubelet."""
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    addresses = f"IP:{lane.address},IP:{lane.api_service}"
    node = f"/O=system:nodes/CN=system:node:{lane.name}"
    return (
        Certificate(
            name="apiserver",
            subject="/CN=kube-apiserver",
            usage="serverAuth",
            names=",".join([*(f"DNS:{name}" for name in names), addresses]),
        ),
        Certificate(
            name="kubelet-server", subject=node, usage="serverAuth", names=f"DNS:{lane.name},IP:{lane.address}"
        ),
        Certificate(name="apiserver-kubelet-client", subject="/O=system:masters/CN=kube-apiserver-kubelet-client"),
        Certificate(name="admin", subject="/O=system:masters/CN=vtchaos-lane-admin"),
        Certificate(name="controller-manager", subject="/CN=system:kube-controller-manager"),
        Certificate(name="scheduler", subject="/CN=system:kube-scheduler"),
        Certificate(name="proxy", subject="/CN=system:kube-proxy"),
        Certificate(name="dns", subject=f"/CN={DNS_USER}"),
        Certificate(name="kubelet", subject=node),
    )


async def make(lane: Lane, openssl: Path) -> None:
    """Every key and certificate below `lane.pki`. Raises ProcessError."""
    lane.pki.mkdir(parents=True, mode=0o700)
    settings = lane.pki / "openssl.cnf"  # the machine's own may be missing, or add what we do not want
    settings.write_text("[req]\ndistinguished_name = subject\n[subject]\n")
    await _run(openssl, lane, settings, _authority(lane))
    await asyncio.gather(
        *(_run(openssl, lane, settings, _signed(lane, row)) for row in certificates(lane)),
        _run(openssl, lane, settings, _pair_for_tokens(lane)),
    )
    public: list[str | Path] = [
        "pkey",
        "-in",
        lane.key(SERVICE_ACCOUNTS),
        "-pubout",
        "-out",
        lane.pki / f"{SERVICE_ACCOUNTS}.pub",
    ]
    await _run(openssl, lane, settings, public)


def _authority(lane: Lane) -> list[str | Path]:
    return [
        *("req", "-x509", *_KEY, "-days", str(DAYS), "-subj", "/CN=vtchaos-lane-ca"),
        *("-keyout", lane.key(AUTHORITY), "-out", lane.certificate(AUTHORITY)),
        *("-addext", "basicConstraints=critical,CA:TRUE"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"),
        *("-addext", "subjectKeyIdentifier=hash"),
    ]


def _signed(lane: Lane, row: Certificate) -> list[str | Path]:
    alternatives = ["-addext", f"subjectAltName={row.names}"] if row.names else []
    return [
        *("req", "-x509", *_KEY, "-days", str(DAYS), "-subj", row.subject),
        *("-CA", lane.certificate(AUTHORITY), "-CAkey", lane.key(AUTHORITY)),
        *("-keyout", lane.key(row.name), "-out", lane.certificate(row.name)),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "keyUsage=critical,digitalSignature"),
        *("-addext", f"extendedKeyUsage={row.usage}"),
        *("-addext", "subjectKeyIdentifier=hash", "-addext", "authorityKeyIdentifier=keyid"),
        *alternatives,
    ]


def _pair_for_tokens(lane: Lane) -> list[str | Path]:
    return ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", lane.key(SERVICE_ACCOUNTS)]


async def _run(openssl: Path, lane: Lane, settings: Path, words: Sequence[str | Path]) -> None:
    env = {"OPENSSL_CONF": str(settings)}
    await procs.run([openssl, *words], cwd=lane.pki, env=env, timeout_s=TIMEOUT_S)
