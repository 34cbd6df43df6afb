"""A lane's certificates and files, read by the programs that are to read them."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from ci.lane import configs, pki
from tests.unit.test_lane_configs import OPENSSL, lane


@pytest.mark.skipif(OPENSSL is None, reason="no openssl on PATH")
async def test_certificates_are_accepted_by_a_strict_client(tmp_path: Path) -> None:
    here = lane(tmp_path)
    here.scratch.mkdir(parents=True)
    await pki.make(here, Path(OPENSSL or ""))
    trusting = ssl.create_default_context(cafile=str(here.certificate(pki.AUTHORITY)))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(here.certificate("apiserver"), here.key("apiserver"))
    serving.verify_mode = ssl.CERT_REQUIRED
    serving.load_verify_locations(here.certificate(pki.AUTHORITY))
    for row in pki.certificates(here):
        if row.usage == "clientAuth":
            trusting.load_cert_chain(here.certificate(row.name), here.key(row.name))
            assert handshake(trusting, serving, here.address) == row.subject.rpartition("CN=")[2]
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        handshake(trusting, serving, here.host_address)
    assert here.pki.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(OPENSSL is None, reason="no openssl on PATH")
async def test_every_file_can_be_made_and_kubeconfigs_hold_their_certificates(tmp_path: Path) -> None:
    here = lane(tmp_path, 1)
    here.scratch.mkdir(parents=True)
    await pki.make(here, Path(OPENSSL or ""))
    made = configs.files(here, runc=Path("/x/runc"), plugins=Path("/x/cni"), pause="pause:1")
    assert "cni/10-lane.conflist" in made
    admin = json.loads(made["admin.kubeconfig"])
    assert admin["current-context"] == "vtchaos-lane-1"
    assert admin["clusters"][0]["cluster"]["server"] == "https://10.213.0.5:6443"
    assert str(tmp_path) not in made["admin.kubeconfig"]


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> str:
    """In memory; returns the common name that the server has seen."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    subject: Any = (theirs.getpeercert() or {})["subject"]
    return next(str(value) for row in subject for key, value in row if key == "commonName")
