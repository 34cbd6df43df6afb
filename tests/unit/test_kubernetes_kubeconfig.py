"""Which context a kubeconfig means, and what is said of one that cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from clusters.kubernetes import kubeconfig
from harness.base.errors import PlanError


def file(path: Path, name: str, *, current: str | None) -> Path:
    """A kubeconfig with one context, cluster and user of that name; `current` None: it does not say."""
    content = {
        "clusters": [{"name": f"{name}-cluster", "cluster": {"server": f"http://{name}.example"}}],
        "users": [{"name": f"{name}-user", "user": {"token": "secret"}}],
        "contexts": [{"name": name, "context": {"cluster": f"{name}-cluster", "user": f"{name}-user"}}],
    } | ({} if current is None else {"current-context": current})
    (path / name).write_text(json.dumps(content))
    return path / name


@pytest.mark.parametrize(
    ("first", "second", "means"),
    [("one", "two", "one"), ("one", "", "one"), ("", "two", "two"), (None, "two", "two"), ("two", "one", "two")],
)
def test_the_first_current_context_that_is_set_wins(
    tmp_path: Path, first: str | None, second: str | None, means: str
) -> None:
    files = file(tmp_path, "one", current=first), file(tmp_path, "two", current=second)
    said = kubeconfig.load("", os.pathsep.join(map(str, files)))
    assert (said.context, said.configuration.host) == (means, f"http://{means}.example")
    assert (said.cluster, said.user) == (f"{means}-cluster", f"{means}-user")


def test_a_named_context_needs_no_current_one(tmp_path: Path) -> None:
    path = str(file(tmp_path, "one", current=""))
    assert kubeconfig.load("one", path).context == "one"
    with pytest.raises(PlanError, match="names no current context"):
        kubeconfig.load("", path)


def test_an_empty_file_and_one_that_is_not_there_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    where = os.pathsep.join(map(str, (tmp_path / "empty", tmp_path / "none", file(tmp_path, "one", current="one"))))
    assert kubeconfig.load("", where).context == "one"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "a: b: c",
        "\tx: 1",
        "just words",
        "- a\n- list",
        "contexts: 7",
        "contexts: [7]",
        "contexts: [{name: one}]",
        "contexts: [{name: one, context: {cluster: 3}}]\ncurrent-context: one",
        "contexts: {one: two}\ncurrent-context: one",
        "clusters: 7\ncontexts: [{name: one, context: {cluster: c}}]\ncurrent-context: one",
        "\x01",
    ],
)
def test_what_is_no_kubeconfig_is_one_plain_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(PlanError, match=r"the kubeconfig .* cannot be") as caught:
        kubeconfig.load("", str(path))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
