"""Goal: the command refuses what cannot be a soak, shows what it would make, and takes up what is there. Method: the
real command, with the work behind it replaced."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click.testing
import pytest

from harness.base import checkout, jsonio
from harness.base.errors import ClusterError
from harness.cli import main
from harness.soak import clusters as soak_clusters
from harness.soak import command, weights
from harness.soak.clusters import KeptCluster
from harness.soak.values import Drawing, Ended, Soak

READ_ONCE = functools.cache(weights.read)  # a file of weights is planned lot by lot, more than a thousand plans


@pytest.fixture
def soaked(monkeypatch: pytest.MonkeyPatch) -> list[Soak]:
    made: list[Soak] = []
    monkeypatch.setattr(weights, "read", READ_ONCE)
    monkeypatch.setattr(checkout, "commit", lambda: "abc1234")

    def ran(folder: Path, soak: Soak) -> int:
        assert (folder / "soak.json").is_file()
        made.append(soak)
        return 0

    monkeypatch.setattr(command, "_soaked", ran)
    return made


def said(*words: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, ["soak", *(str(word) for word in words)])


def test_a_soak_is_on_record_before_it_begins_and_is_taken_up(soaked: list[Soak], tmp_path: Path) -> None:
    out = tmp_path / "night"
    first = said("--seed", "5", "--budget", "90m", "--keep", "1.5GB", "--releases", "v21.0.2,24.0.3", "--out", out)
    assert first.exit_code == 0, first.output
    soak = soaked[0]
    assert (soak.seed, soak.budget_s, soak.keep_bytes, soak.most_runs) == (5, 5400, 1_500_000_000, 0)
    assert soak.weights.releases == ("21.0.2", "24.0.3")
    assert jsonio.load(out / "soak.json", Soak) == soak
    again = said("--resume", out)
    assert again.exit_code == 0, again.output
    assert soaked[1] == soak
    assert said("--out", out, "--budget", "8h", "--runs", "3").exit_code == 0
    assert (soaked[2].budget_s, soaked[2].most_runs, soaked[2].begin) == (8 * 3600, 3, soak.begin)
    assert soaked[2].until > soak.until
    assert soaked[2].weights == soak.weights


def test_the_same_command_again_makes_the_night_no_longer(soaked: list[Soak], tmp_path: Path) -> None:
    """As a service gives it after a reboot; --resume with a budget is for a person who wants more."""
    out = tmp_path / "night"
    said("--seed", "5", "--budget", "6h", "--out", out)
    soak = soaked[0]
    begun = datetime.datetime.fromisoformat(soak.begin) - datetime.timedelta(hours=5)
    stamps = [(begun + datetime.timedelta(hours=more)).isoformat(timespec="seconds") for more in (0, 6)]
    ended = Ended(why="interrupted", exit_code=130)
    jsonio.save(out / "soak.json", replace(soak, begin=stamps[0], until=stamps[1], ended=ended))
    said("--budget", "6h", "--out", out)
    assert (soaked[1].until, soaked[1].ended) == (stamps[1], None)
    said("--resume", out, "--budget", "6h")
    assert soaked[2].until > stamps[1]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--seed", "6"), "has the seed 5; give another --out"),
        (("--weights", "mine.toml"), "has its own --weights"),
        (("--releases", "24.0.3"), "has its own --releases"),
    ],
)
def test_what_is_drawn_from_does_not_change(
    words: tuple[str, ...], problem: str, soaked: list[Soak], tmp_path: Path
) -> None:
    said("--seed", "5", "--out", tmp_path / "night")
    refused = said("--resume", tmp_path / "night", *words)
    assert refused.exit_code == 2
    assert problem in refused.stderr
    assert len(soaked) == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--budget", "long"), "--budget takes a duration such as 8h"),
        (("--budget", "0s"), "--budget takes a duration such as 8h"),
        (("--budget", "99999999999999h"), "--budget takes at most a year"),
        (("--budget", "9" * 400 + "h"), "--budget takes at most a year"),
        (("--budget", "20s"), "--budget is 20 s, and the first run may take"),
        (("--seed", "9" * 23), "9223372036854775807"),
        (("--keep", "99999999999999999999TB"), "--keep takes at most 1,000,000 TB"),
        (("--keep", "9" * 400 + "TB"), "--keep takes at most 1,000,000 TB"),
        (("--out", "/dev/null/x"), "/dev/null/x cannot be made (Not a directory)"),
        (("--keep", "much"), "--keep takes a size such as 20GB"),
        (("--releases", "20.0.1"), "Vitess 20.0.1 is not one of the releases"),
        (("--weights", "none.toml"), "the weights none.toml cannot be read"),
        (("--out", "a", "--resume", "b"), "give --out for a new soak"),
        (("--resume", "nothing"), "holds no soak"),
    ],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...], problem: str, soaked: list[Soak]) -> None:
    refused = said(*words)
    assert refused.exit_code == 2
    assert problem in refused.stderr
    assert soaked == []


def test_a_folder_of_something_else_is_refused(soaked: list[Soak], tmp_path: Path) -> None:
    (tmp_path / "thing").touch()
    assert "holds no soak; give another --out" in said("--out", tmp_path).stderr
    (tmp_path / "soak.json").write_text("{}")
    assert "does not fit this version" in said("--out", tmp_path).stderr
    assert soaked == []


def test_a_dry_run_shows_what_can_be_typed_and_makes_nothing(soaked: list[Soak], tmp_path: Path) -> None:
    shown = said("--dry-run", "--seed", "5", "--runs", "12", "--out", tmp_path / "night")
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert len(lines) == 12
    assert all("vtchaos run " in line and " --seed " in line for line in lines)
    assert sum("--sabotage" in line for line in lines[:10]) == 1
    assert not (tmp_path / "night").exists()
    assert soaked == []
    assert said("--dry-run", "--seed", "5", "--runs", "12").stdout == shown.stdout


@pytest.mark.parametrize(("text", "size"), [("20GB", 20 * 10**9), ("500 MB", 5 * 10**8), ("1GiB", 2**30), ("7b", 7)])
def test_sizes(text: str, size: int) -> None:
    assert command._bytes(text) == size


# ---------------------------------------------------------------- the kept cluster


class Clusters:
    """Stands for `vtchaos up` and `down`, and for what stands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[tuple[str, ...]] = []
        self.code = 0
        self.sick = ""
        monkeypatch.setattr(soak_clusters, "why_not", lambda name: self.sick)
        monkeypatch.setattr(KeptCluster, "_down", lambda _, name: self.down(name))

    def down(self, name: str) -> bool:
        self.said.append(("down", name))
        return True

    def __call__(self, words: Sequence[str], turn: str, within_s: float) -> int:
        self.said.append(tuple(words[:2]))
        return self.code


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch) -> Clusters:
    return Clusters(monkeypatch)


def drawn(number: int, *cluster: str) -> Drawing:
    return Drawing(number=number, lot="a", experiment="a", words=("a",), seed=1, cluster=cluster)


def test_a_healthy_cluster_is_reused_and_goes_before_a_run_with_its_own(clusters: Clusters) -> None:
    kept = KeptCluster("abc", ran=clusters, most_runs=4)
    assert kept.ready(drawn(1, "--shards", "2")) == ("soak-abc-1", "new")
    assert kept.after("") == ""
    assert kept.ready(drawn(2, "--shards", "2")) == ("soak-abc-1", "reused")
    assert kept.ready(drawn(3)) == ("", "own")
    assert clusters.said == [("up", "soak-abc-1"), ("down", "soak-abc-1")]


def test_a_dirty_worn_sick_or_other_cluster_is_replaced(clusters: Clusters) -> None:
    kept = KeptCluster("abc", ran=clusters, most_runs=2)
    kept.ready(drawn(1, "--shards", "2"))
    assert kept.after("a row is lost") == "a row is lost"
    assert kept.ready(drawn(2, "--shards", "2")) == ("soak-abc-2", "new")
    assert kept.ready(drawn(3, "--shards", "2")) == ("soak-abc-2", "reused")
    assert kept.after("") == "it had 2 runs"
    assert kept.ready(drawn(4, "--shards", "2"))[1] == "new"
    clusters.sick = "stopped: vttablet-100"
    assert kept.ready(drawn(5, "--shards", "2"))[1] == "new"
    clusters.sick = ""
    assert kept.ready(drawn(6, "--shards", "4"))[1] == "new"
    assert [words[0] for words in clusters.said] == ["up", "down"] * 4 + ["up"]


def test_a_cluster_that_does_not_start_is_removed(clusters: Clusters) -> None:
    kept = KeptCluster("abc", ran=clusters, most_runs=2)
    clusters.code = 4
    with pytest.raises(ClusterError, match=r"vtchaos up --shards 2` does not serve \(4\)"):
        kept.ready(drawn(1, "--shards", "2"))
    assert clusters.said[-1] == ("down", "soak-abc-1")
