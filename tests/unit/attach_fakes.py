"""A vtctld with one keyspace of two shards, and an attach to it without a Kubernetes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from clusters.kubernetes import attach as attaching
from clusters.kubernetes import attach_permits, attach_schema
from clusters.kubernetes.attach import Survey
from clusters.kubernetes.attach_reach import Reach
from clusters.kubernetes.attach_schema import LoadTable
from clusters.kubernetes.discovery import programs
from clusters.kubernetes.discovery_layout import assembled
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from tests.unit.test_kubernetes_discovery import LOGS, TOPOLOGY, operator_pods
from tests.unit.test_kubernetes_safety import TARGET

LEDGER = LoadTable(name="ledger", sql=LEDGER_SQL, vschema=LEDGER_VSCHEMA)
FOUND = assembled(programs(operator_pods()), TOPOLOGY, keyspace="", versions={}, logs=LOGS)


@dataclass
class FakeVtctld:
    """`tables`: name → comment. `before`: what happens before each change."""

    vschema: str = "{}"
    tables: dict[str, str] = field(default_factory=dict)
    before: Callable[[str], None] = lambda what: None

    async def shard_primary(self, keyspace: str, shard: str) -> str:
        return f"zone1-{shard}"

    async def execute_as_dba(self, tablet: str, sql: str) -> Sequence[Mapping[str, str]]:
        (name,) = re.findall(r"table_name = '(\w+)'", sql)
        return [{"words": self.tables[name]}] if name in self.tables else []

    async def apply_schema(self, keyspace: str, statements: Sequence[str], *, timeout_s: float) -> None:
        self.before("schema")
        for sql in statements:
            if dropped := re.findall(r"DROP TABLE IF EXISTS `(\w+)`", sql):
                self.tables.pop(dropped[0], None)
            else:
                (name,), (comment,) = re.findall(r"CREATE TABLE `?(\w+)", sql), re.findall(r"COMMENT = '(.*)'$", sql)
                self.tables[name] = comment

    async def apply_vschema(self, keyspace: str, text: str) -> None:
        self.before("vschema")
        self.vschema = text

    def stands_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For whatever would be reached of a Vitess in Kubernetes."""

        @contextlib.asynccontextmanager
        async def instead(*_: Any) -> AsyncIterator[Any]:
            yield self

        async def target(*_: Any) -> Any:
            return TARGET

        async def vschema_of(*_: Any) -> str:
            return self.vschema

        async def known(*_: Any) -> None:
            return

        monkeypatch.setattr(Reach, "opened", instead)
        monkeypatch.setattr(attaching, "vtctld_of", instead)
        monkeypatch.setattr(attaching, "target_of", target)
        monkeypatch.setattr(attaching, "_until_known", known)
        monkeypatch.setattr(attach_schema, "vschema_of", vschema_of)


def seen() -> Survey:
    permits = attach_permits.Permits(signals="", restarts="", scales={})
    return Survey(target=TARGET, found=FOUND, permits=permits, clients=0, direct=True)
