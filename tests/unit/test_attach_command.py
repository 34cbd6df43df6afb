"""What `vtchaos attach` refuses before it asks anything, and the rights that it prints."""

from __future__ import annotations

import pytest
import yaml  # type: ignore[import-untyped]
from click.testing import CliRunner

from clusters.kubernetes import rbac
from harness.attach_command import attach


@pytest.mark.parametrize("kit", list(rbac.KITS))
@pytest.mark.parametrize("name", ["123", "null", "true", "1e3"])
def test_a_namespace_that_reads_like_a_number_is_still_a_name(kit: str, name: str) -> None:
    ended = CliRunner().invoke(attach, ["--rbac", kit, "--namespace", name])
    assert ended.exit_code == 0
    for each in yaml.safe_load_all(ended.output):
        assert each["metadata"].get("namespace", name) in (name, rbac.SYSTEM)
        assert all(isinstance(word, str) for rule in each.get("rules", ()) for word in rule.get("resourceNames", ()))
        assert all(subject["namespace"] == name for subject in each.get("subjects", ()))
