"""`vtchaos attach` in front of an API server that must not be asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.attach_command import attach
from harness.base.errors import PlanError
from tests.unit.kubernetes_fakes import FakeServer


@pytest.mark.parametrize("name", ["UP ER/..", "../../..", "shop/pods", "-shop", "shop-", "shop.eu", "a" * 64, "s\n"])
async def test_what_is_no_namespaces_name_comes_into_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    server = FakeServer()
    async with server.opened(tmp_path) as api:
        asked = len(server.asked)
        monkeypatch.setenv("KUBECONFIG", api.kubeconfig)
        for words in (("theirs", "--namespace", name), ("--rbac", "attach", "--namespace", name)):
            ended = await asyncio.to_thread(CliRunner().invoke, attach, words)
            assert isinstance(ended.exception, PlanError)
            assert "is no name of a namespace" in str(ended.exception)
        assert len(server.asked) == asked
