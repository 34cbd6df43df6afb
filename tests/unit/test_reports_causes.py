"""Causes in every report: the answer, the table, the evidence and where it stands; faults and what is left of them."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs
from rich.console import Console

from harness.causes import Evidence
from harness.history import History
from harness.model import Clean, RunVerdict
from harness.reports import html
from harness.reports.digest import digest
from harness.reports.evidence import places
from harness.reports.html_faults import faults_view
from harness.reports.terminal_causes import show_causes
from harness.reports.told_causes import advice_of, by_doing, doing_sentence, shards_words
from tests.unit.cause_rows import SPAN, STEP, STOPPING, storm_causes, verdict_with_causes, with_logs
from tests.unit.storm_history import ns, storm_history
from tests.unit.test_reports_html import HOSTILE, parsed


@pytest.fixture(scope="module")
def history() -> History:
    return with_logs(storm_history(rate=2))


def page(history: History, verdict: RunVerdict, tmp_path: Path) -> str:
    text = html.render(history, verdict, tmp_path / "report.html").read_text(encoding="utf-8")
    return text.replace(get_plotlyjs(), "")


def test_whose_doing_it_was_is_one_sentence() -> None:
    assert doing_sentence(storm_causes()) == (
        "Whose doing the 450 affected operations were: Vitess's design 360 (80 %), a setting 48 (11 %), "
        "the run 30 (7 %), the host 8 (2 %), unexplained 4 (0.9 %)."
    )
    explained = storm_causes()[:1]
    assert doing_sentence(explained).endswith("Vitess's design 360 (100 %). Nothing is unexplained.")
    assert doing_sentence(()) == ""
    assert [number for _, number in by_doing(storm_causes())] == [360, 48, 30, 8, 4]


def test_shards_and_advice_in_words() -> None:
    assert shards_words(storm_causes()[0]) == "-08 359, 08-10 1"
    assert advice_of(storm_causes()) == (
        ("the buffer's window was shorter than the reparent", "Set --buffer-window to 12s or more."),
    )


def test_the_summary_names_what_lay_beneath_a_starved_host(history: History) -> None:
    out = io.StringIO()
    show_causes(Console(file=out, width=200, color_system=None), verdict_with_causes(history))
    assert "the host had no free core (beneath it: own-reparent 8)" in out.getvalue()


def test_whose_doing_it_was_stands_once(history: History, tmp_path: Path) -> None:
    verdict = verdict_with_causes(history)
    text = parsed(page(history, verdict, tmp_path)).text
    assert text.count("Whose doing the 450 affected operations were") == 1
    assert text.index("Whose doing the") > text.index("Why clients waited or failed"), "the headline says it already"


def test_evidence_stands_with_what_is_around_it(history: History) -> None:
    found = places(history, storm_causes())
    assert [place.number for place in found.values()] == [1, 2, 3]
    lines = found[STOPPING].around
    assert [near.it for near in lines] == [False, True, False]
    assert "Starting buffering" in lines[0].text
    assert any(near.text.startswith("PlannedReparent -08") or "begin" in near.text for near in found[SPAN].around)


def test_a_counter_shows_its_own_steps_only(history: History) -> None:
    key = "BufferRequestsEvicted:ks.10-18.WindowExceeded"
    step = dataclasses.replace(STEP, text=f"{key} 0 → 8")
    row = dataclasses.replace(storm_causes()[1], evidence=(step,))
    around = places(history, (row,))[step].around
    assert around
    assert all(near.text.startswith(f"{key} = ") for near in around)


def test_evidence_of_something_that_is_not_there_stands_alone(history: History) -> None:
    lost = Evidence(source="samples-vtgate-9.jsonl", subject="vtgate-9", at_ns=ns(42), text="x")
    row = dataclasses.replace(storm_causes()[0], evidence=(lost,))
    assert places(history, (row,))[lost].around == ()


def test_page_links_every_cause_to_its_evidence(history: History, tmp_path: Path) -> None:
    text = page(history, verdict_with_causes(history), tmp_path)
    tags = parsed(text)
    links = [attributes["href"] for tag, attributes in tags.found if tag == "a"]
    ids = [attributes["id"] for _, attributes in tags.found if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in links if link} <= set(ids)
    told = " ".join(tags.text.split())
    assert doing_sentence(storm_causes()) in told
    assert "No trace of it is on record." in told
    assert "Beneath it, what a faster host would have shown: own-reparent 8." in told
    assert "Set --buffer-window to 12s or more." in told


def test_page_of_a_run_without_affected_operations_says_so(history: History, tmp_path: Path) -> None:
    verdict = dataclasses.replace(verdict_with_causes(history), causes=())
    assert "No operation was affected." in parsed(page(history, verdict, tmp_path)).text


def test_hostile_causes_stay_text(history: History, tmp_path: Path) -> None:
    hostile = Evidence(source=HOSTILE, subject=HOSTILE, at_ns=ns(42), text=HOSTILE)
    row = dataclasses.replace(
        storm_causes()[0], cause=HOSTILE, title=HOSTILE, vtgate=HOSTILE, advice=HOSTILE, evidence=(hostile,),
        shards={HOSTILE: 3}, classes={HOSTILE: 3}, through={HOSTILE: 3},
    )  # fmt: skip
    text = page(history, dataclasses.replace(verdict_with_causes(history), causes=(row,)), tmp_path)
    assert {"img"} & {tag for tag, _ in parsed(text).found} == set()
    assert [tag for tag, _ in parsed(text).found].count("script") == 3


def test_every_fault_has_its_life_cycle(history: History, tmp_path: Path) -> None:
    first, second, *others = history.faults
    cut = dataclasses.replace(
        first,
        fault="CutLink",
        begin_ns=ns(41),
        active_ns=ns(42),
        recover_ns=ns(45),
        healed_ns=ns(45.5),
        recovered_ns=ns(47),
    )
    stuck = dataclasses.replace(second, unrecovered="no primary in ks/08-10", healed_by="the watchdog")
    run = dataclasses.replace(history, faults=(cut, stuck, *others))
    row = faults_view(run, digest(run))["first"][0]
    assert (row.took_hold, row.in_force, row.taken_back, row.got_over) == ("1.0 s", "3.0 s", "500 ms", "1.5 s")
    text = " ".join(parsed(page(run, verdict_with_causes(run), tmp_path)).text.split())
    assert "the cluster had not got over it: no primary in ks/08-10; taken back by: the watchdog" in text


def test_what_is_left_is_told_and_what_could_not_be_looked_for(history: History, tmp_path: Path) -> None:
    left = Clean(
        at_ns=ns(80), found={"processes": ("mysqld 4711",), "namespaces": ()}, blind={"containers": "no docker"}
    )
    text = " ".join(
        parsed(page(dataclasses.replace(history, clean=left), verdict_with_causes(history), tmp_path)).text.split()
    )
    assert "processes: mysqld 4711" in text
    assert "namespaces: nothing" in text
    assert "containers: could not be looked for: no docker" in text
    none = dataclasses.replace(left, found={"processes": ()})
    text = " ".join(
        parsed(page(dataclasses.replace(history, clean=none), verdict_with_causes(history), tmp_path)).text.split()
    )
    assert "Nothing: 1 kind of things looked for when the run was over." in text
