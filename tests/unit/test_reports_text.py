"""The closing summary, JUnit and JSON: what they must say, on whole runs and on what a killed run leaves."""

from __future__ import annotations

import dataclasses
import io
import shlex
from pathlib import Path

import numpy as np
import pytest
from junitparser import Error, Failure, JUnitXml
from rich.console import Console

from harness.base import jsonio
from harness.base.errors import UsageError
from harness.base.rundir import RunDir
from harness.history import History
from harness.kept import up
from harness.model import OP_DTYPE, CheckKind, CheckResult, ClusterSpec, Outcome, RunVerdict, Verdict, VtgateSpec
from harness.options import overrides
from harness.planning import cluster_spec
from harness.reports import RENDERERS, junit, markdown, render_all, terminal
from harness.reports.digest import digest, stall_of
from harness.reports.words import clean, duration, reproduce
from tests.unit.storm_history import SECOND, ns, storm_history, storm_verdict


@pytest.fixture(scope="module")
def history() -> History:
    return storm_history()


def summary(history: History, verdict: RunVerdict, width: int, *, terminal_: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal_, color_system="truecolor" if terminal_ else None)
    terminal.show(history, verdict, console, folder=Path("runs/r1"))
    return out.getvalue()


def whole(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [80, 100, 160])
def test_summary_fits_and_says_what_matters(history: History, width: int) -> None:
    text = summary(history, storm_verdict(history), width)
    copied = ("reproduce", "report", "run ")  # lines that are never broken
    assert max(len(line) for line in text.splitlines() if not line.startswith(copied)) <= width
    told = whole(text)
    assert "FINDING vtgate-1 (21.0.2) let 52 operations" in told
    assert "buffer-stops [vtgate-1]: 7 shards stopped buffering" in told
    assert "keyspace-stall [vtgate-2]" in told
    assert "(UNKNOWN, promise)" in told
    assert "NewPrimarySeen 26, MaxDurationExceeded 6" in told
    assert "48 × errno 1105 (surely not applied)" in told
    assert "60,160 operations on record: 52 failed, 4 with unknown outcome, 2,172 not issued." in told
    assert reproduce(history) in text
    assert text.rstrip().splitlines()[-1].split() == ["run", str(Path("runs/r1").absolute())]


def test_summary_has_escape_sequences_on_a_terminal_only(history: History) -> None:
    verdict = storm_verdict(history)
    assert "\x1b[" in summary(history, verdict, 100, terminal_=True)
    assert "\x1b" not in summary(history, verdict, 100)
    assert "\x07" not in summary(history, verdict, 100, terminal_=True)


@pytest.mark.parametrize("width", [100, 160])
def test_names_of_shards_and_nodes_move_no_cursor(history: History, width: int) -> None:
    evil = "\x1b[31m\x9b2J[red]-08"
    lanes = tuple(dataclasses.replace(lane, shard=evil, vtgate=f"{lane.vtgate}\x1b[0m") for lane in history.lanes)
    nodes = tuple(dataclasses.replace(node, name=f"{node.name}\x1b[0m") for node in history.nodes)
    verdict = dataclasses.replace(storm_verdict(history), causes=())
    text = summary(dataclasses.replace(history, lanes=lanes, nodes=nodes), verdict, width)
    assert "Worst shards" in text
    assert "[red]-08" in text
    assert not {"\x1b", "\x9b"} & set(text)


def test_summary_in_ascii(history: History) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    terminal.show(history, storm_verdict(history), Console(file=out, width=80), folder=Path("r"))
    out.flush()
    assert b"48 x errno 1105" in out.buffer.getvalue()


def test_markup_in_messages_is_only_text(history: History) -> None:
    verdict = dataclasses.replace(storm_verdict(history), headline="[red]not[/red] markup [/] at all")
    assert "[red]not[/red] markup [/] at all" in summary(history, verdict, 100)


def test_summary_of_a_killed_run() -> None:
    killed = storm_history(killed_at_s=44)
    told = whole(summary(killed, storm_verdict(killed), 100))
    assert "Incomplete: rows-*.bin (the tables were not read after the run)" in told
    assert "> 3.0 s" in told
    assert "it never ended" in told


def test_summary_of_a_run_that_never_started(history: History) -> None:
    empty = History(plan=history.plan, clock=history.clock, incomplete=("nodes.json", "load.json"))
    verdict = dataclasses.replace(storm_verdict(history), results=(), verdict=Verdict.UNKNOWN, exit_code=4)
    told = whole(summary(empty, verdict, 80))
    assert "No operation was recorded." in told
    assert "HARNESS ERROR vtgate-1 (21.0.2)" in told
    assert "exit code 4 (harness error)" in told
    assert "vtgate-1 (planned) 21.0.2" in told


def test_reproduced_is_neither_pass_nor_finding(history: History) -> None:
    verdict = dataclasses.replace(
        storm_verdict(history, reproduced=True), verdict=Verdict.PASS, exit_code=0, headline="as expected"
    )
    told = whole(summary(history, verdict, 120))
    assert "REPRODUCED as expected" in told
    assert "(REPRODUCED vitessio/vitess#17629, promise)" in told


def test_what_is_reproduced_is_said_once(history: History) -> None:
    made = storm_verdict(history, reproduced=True)
    said = tuple(
        dataclasses.replace(result, summary=f"REPRODUCED vitessio/vitess#17629, as expected: {result.summary}")
        if result.figures
        else result
        for result in made.results
    )
    told = whole(summary(history, dataclasses.replace(made, results=said), 120))
    assert "(REPRODUCED" not in told
    assert "REPRODUCED vitessio/vitess#17629, as expected" in told


def test_a_condition_that_excused_nothing_is_not_among_the_passed(history: History) -> None:
    starved = CheckResult(
        check="assumptions/host",
        kind=CheckKind.CONDITION,
        verdict=Verdict.PASS,
        summary="No promise failed, so it excuses nothing: The host was starved: no core.",
        details=("no core", "not measured: memory"),
        figures={"excuses": "nothing"},
    )
    verdict = dataclasses.replace(storm_verdict(history), results=(starved,), verdict=Verdict.PASS, exit_code=0)
    told = whole(summary(history, verdict, 120))
    assert "! assumptions/host: No promise failed, so it excuses nothing" in told
    assert "(did not hold, condition)" in told
    assert "passed: assumptions/host" not in told
    assert "- no core" not in told, "the summary says it"
    assert "- not measured: memory" in told
    text = markdown.page(history, verdict)
    assert "| did not hold | assumptions/host |" in text
    assert "0 passed." in text


def test_junit_counts_and_properties(history: History, tmp_path: Path) -> None:
    xml = JUnitXml.fromfile(str(junit.render(history, storm_verdict(history), tmp_path / "junit.xml")))
    assert (xml.tests, xml.failures, xml.errors) == (8, 2, 1)
    suite = next(iter(xml))
    properties = {item.name: item.value for item in suite.properties()}
    assert properties["seed"] == "17629"
    assert properties["version.vtgate-2"] == "21.0.3"
    assert properties["command_line"].startswith("vtchaos run reparent/all-at-once-32")
    cases = {case.name: case for case in suite}
    failure = cases["client-errors [vtgate-1]"].result[0]
    assert isinstance(failure, Failure)
    assert "errno 1105 <primary is not serving> & others: 48" in failure.text
    assert isinstance(cases["keyspace-stall [vtgate-2]"].result[0], Error)
    assert not cases["durability"].result


def test_junit_of_a_reproduced_bug_passes_and_says_so(history: History, tmp_path: Path) -> None:
    verdict = storm_verdict(history, reproduced=True)
    xml = JUnitXml.fromfile(str(junit.render(history, verdict, tmp_path / "junit.xml")))
    cases = {case.name: case for case in next(iter(xml))}
    assert xml.failures == 0
    assert "REPRODUCED vitessio/vitess#17629" in str(cases["buffer-stops [vtgate-1]"].system_out)


@pytest.mark.parametrize("verdict, exit_code", [(Verdict.FAIL, 1), (Verdict.UNKNOWN, 3), (Verdict.PASS, 4)])
def test_junit_of_a_red_run_is_never_green(history: History, tmp_path: Path, verdict: Verdict, exit_code: int) -> None:
    red = RunVerdict(
        run_id="r", experiment="e", verdict=verdict, exit_code=exit_code, headline="the cluster died", results=()
    )
    xml = JUnitXml.fromfile(str(junit.render(history, red, tmp_path / "junit.xml")))
    assert xml.failures + xml.errors == 1


def test_same_input_same_bytes(history: History, tmp_path: Path) -> None:
    verdict = storm_verdict(history)
    first, second = RunDir.create(tmp_path / "a"), RunDir.create(tmp_path / "b")
    formats = [name for name in RENDERERS if name != "terminal"]  # the summary names its folder
    one, other = render_all(history, verdict, first, formats), render_all(history, verdict, second, formats)
    assert {name: path.read_bytes() for name, path in one.items()} == {
        name: path.read_bytes() for name, path in other.items()
    }
    assert jsonio.load(one["json"], RunVerdict) == verdict


def test_all_formats_are_written_where_the_run_directory_says(history: History, tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    written = render_all(history, storm_verdict(history), run)
    assert written["json"] == run.verdict
    assert written["junit"] == run.junit
    assert written["html"] == run.html
    assert str(run.html) in (run.path / "summary.txt").read_text()
    assert not list(run.path.glob("*.part"))


def test_unknown_format_is_refused(history: History, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no report format pdf; there are json"):
        render_all(history, storm_verdict(history), RunDir(tmp_path), ["pdf"])


def test_stall_of_a_killed_lane_is_open() -> None:
    lane = storm_history(shards=2, vtgates=("24.0.3",)).lanes[0]
    ops = np.zeros(3, dtype=OP_DTYPE)
    ops["intended_ns"] = [ns(1), ns(2), ns(3)]
    ops["done_ns"] = ops["intended_ns"] + SECOND // 100
    ops["outcome"] = Outcome.OK
    stall = stall_of(ops, lane, ns(2), ns(8))
    assert stall.open
    assert stall.span_ns == pytest.approx(4.99 * SECOND)
    assert not stall_of(ops, lane, ns(2), 0).open


def test_kinds_join_what_differs_in_names_only(history: History) -> None:
    kinds = digest(history).kinds
    assert [(kind.title, kind.number, len(kind.shards)) for kind in kinds] == [
        ("errno 1105", 48, 6),
        ("errno 1290", 4, 4),
        ("errno 2013", 4, 4),
        ("not issued", 2172, 32),
    ]


def test_words() -> None:
    assert [duration(value) for value in (None, 0, 900, 3_300_000, 270_000_000, 12_340_000_000, 140e9)] == [
        "–", "0 s", "900 ns", "3.3 ms", "270 ms", "12.3 s", "140 s",
    ]  # fmt: skip
    assert clean("a\x1b[31mb\x00\r\nc") == "a\ufffd[31mb\ufffd\nc"


def test_paths_in_the_summary_do_not_depend_on_where_it_is_written(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDir.create(tmp_path / "run")
    render_all(history, storm_verdict(history), run)
    first = (run.path / "summary.txt").read_text()
    monkeypatch.chdir(tmp_path)
    render_all(history, storm_verdict(history), RunDir(Path("run")))
    assert (run.path / "summary.txt").read_text() == first
    assert f"run       {tmp_path}/run\n" in first


KEPT = ClusterSpec(
    shards=8,
    tablets_per_shard=3,
    vitess="24.0.3",
    mysql="9.7",
    durability_policy="none",
    vtorc=True,
    vtgates=(VtgateSpec(version="21.0.2"), VtgateSpec()),
    vtgate_flags={"enable-buffer": "", "buffer-window": "12s"},
    vttablet_flags={"vreplication-copy-phase-duration": "300ms"},
    mysqld_settings={"max_connections": "200"},
)


def kept_run(history: History, spec: ClusterSpec) -> History:
    words = ("vtchaos", "run", "vstream/copy-cycles", "--cluster", "a b")
    return dataclasses.replace(
        history, plan=dataclasses.replace(history.plan, cluster=spec, cluster_name="a b", command_line=words)
    )


@pytest.mark.parametrize("out", [("--out", "runs/here"), ("--out=runs/here",)])
def test_reproducing_a_run_does_not_ask_for_the_folder_that_is_there(history: History, out: tuple[str, ...]) -> None:
    words = ("vtchaos", "run", "reparent/storm-2", *out, "--plain")
    made = dataclasses.replace(history, plan=dataclasses.replace(history.plan, command_line=words))
    assert reproduce(made) == "vtchaos run reparent/storm-2 --plain --seed 17629"


def test_reproducing_a_run_on_a_kept_cluster_says_how_to_make_the_cluster(history: History) -> None:
    kept = kept_run(history, KEPT)
    comment, again = reproduce(kept).splitlines()
    assert again == "vtchaos run vstream/copy-cycles --cluster 'a b' --seed 17629"
    assert comment.startswith("# such a cluster: vtchaos up 'a b' --shards 8 --tablets 3 --vitess 24.0.3 ")
    context = up.make_context("up", shlex.split(comment.partition(" up ")[2]))
    given = {name: value for name, value in context.params.items() if name != "name"}
    made = cluster_spec(ClusterSpec(), overrides(given))
    assert dataclasses.replace(made, vtgates=KEPT.vtgates) == KEPT
    assert [made.vtgate_version(index) for index in range(2)] == ["21.0.2", "24.0.3"]
    told = summary(kept, storm_verdict(history), 100)
    assert f"reproduce {comment}\n          {again}\n" in told


def test_nothing_of_a_kept_cluster_leaves_its_comment(history: History) -> None:
    hostile = dataclasses.replace(KEPT, vtgate_flags={"x": "1\nrm -rf /"}, mysqld_settings={"y": "2\r\nls\x1b"})
    assert len(reproduce(kept_run(history, hostile)).splitlines()) == 2
