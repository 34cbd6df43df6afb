"""The step of the workflows as its shell runs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.unit.test_ci_workflows import REGRESSION


@pytest.mark.parametrize("code", [0, 1, 3, 4, 127])
@pytest.mark.parametrize("began", [True, False])
def test_the_step_hands_on_exit_code_and_answer_whatever_they_are(tmp_path: Path, code: int, began: bool) -> None:
    out, suite = tmp_path / "out", tmp_path / "regression"
    files = f"mkdir {out}; echo '{{\"answer\": \"so it is\"}}' > {out}/result.json; echo '## so' > {out}/summary.md;"
    suite.write_text(f'#!/bin/sh\n{files if began else ""} echo "$@" > {tmp_path}/words; exit {code}\n')
    suite.chmod(0o755)
    names = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    given = {"VITESS": "b/bin", "VTGATE": "", "BUDGET": "9m", "SEED": "1", "OPTIONS": "--only vstream/ --strict"}
    script = next(step["run"] for step in yaml.safe_load(REGRESSION)["runs"]["steps"] if step.get("id") == "suite")
    env = {"PATH": os.environ["PATH"], "OUT": str(out), "REGRESSION": str(suite), **names, **given}
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=env, check=True, timeout=30)
    said = "so it is" if began else "the suite did not begin; the log of this step says why"
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"code={code}\nanswer={said}\n"
    assert (tmp_path / "GITHUB_STEP_SUMMARY").is_file() is began
    assert (tmp_path / "words").read_text().endswith("--only vstream/ --strict\n")
