"""Goal: what is typed means what the help says: flags in any spelling, several vtgates, parameters as numbers."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from harness.base.errors import PlanError
from harness.model import ConnectionMode
from harness.options import cluster_options, load_options, overrides, place_options
from harness.planning import Overrides


def typed(*words: str) -> Overrides:
    """The Overrides of a command line."""
    seen: list[Overrides] = []

    @click.command()
    @place_options
    @cluster_options
    @load_options
    def command(backend: str | None, **given: Any) -> None:
        seen.append(overrides(given))

    done = CliRunner().invoke(command, words, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return seen[0]


def test_nothing_typed_changes_nothing() -> None:
    assert typed() == Overrides()


def test_everything_typed_is_taken() -> None:
    words = (
        "--shards 4 --tablets 3 --vitess 23.0.5 --vtgate 24.0.3,21.0.2 --mysql 8.0 --durability none --vtorc "
        "--window 5s --rate 2.5 --connections 3 --write-share 0.25 --mode pooled --workers 2 --operation-timeout 9 "
        "--set baseline_s=4 --timeout 60"
    )
    assert typed(*words.split()) == Overrides(
        shards=4,
        tablets=3,
        vitess="23.0.5",
        vtgates=("24.0.3", "21.0.2"),
        mysql="8.0",
        durability="none",
        vtorc=True,
        window="5s",
        rate=2.5,
        connections=3,
        write_share=0.25,
        mode=ConnectionMode.POOLED,
        workers=2,
        operation_timeout_s=9,
        params={"baseline_s": 4},
        timeout_s=60,
    )


def test_where_it_stands_is_taken_field_by_field() -> None:
    words = (
        "--backend kubernetes --image me/vitess:{version} --memory 700 --cpus 1.5 --context lab --storage-class fast "
        "--create operator --load-pods 3"
    )
    assert typed(*words.split()).place == {
        "image": "me/vitess:{version}",
        "memory_mb": 700,
        "cpus": 1.5,
        "context": "lab",
        "storage_class": "fast",
        "operator": True,
        "load_pods": 3,
    }
    assert typed("--together", "--kind", "--create", "own").place == {
        "together": True,
        "kind": True,
        "operator": False,
    }


@pytest.mark.parametrize(
    "text, flag, value",
    [
        ("buffer-size=500", "buffer-size", "500"),
        ("--buffer-size=500", "buffer-size", "500"),
        ("buffer_size=500", "buffer-size", "500"),
        ("enable-buffer", "enable-buffer", ""),
        ("mysql-server-version=8.0=x", "mysql-server-version", "8.0=x"),
        ("buffer-size=", "buffer-size", ""),
    ],
)
def test_a_flag_in_any_spelling(text: str, flag: str, value: str) -> None:
    assert typed("--vtgate-flag", text).vtgate_flags == {flag: value}
    assert typed("--vttablet-flag", text).vttablet_flags == {flag: value}
    assert typed("--vtctld-flag", text).vtctld_flags == {flag: value}


def test_a_setting_of_mysqld_keeps_its_underscores() -> None:
    assert typed("--mysqld-setting", "max_connections=50").mysqld_settings == {"max_connections": "50"}


def test_the_last_of_several_wins() -> None:
    assert typed("--vtgate-flag", "a=1", "--vtgate-flag", "a=2", "--vtgate-flag", "b=3").vtgate_flags == {
        "a": "2",
        "b": "3",
    }


def test_no_vtorc_is_not_the_same_as_nothing_said() -> None:
    assert typed("--no-vtorc").vtorc is False
    assert typed().vtorc is None


def test_spaces_and_empty_parts_in_a_list_of_vtgates() -> None:
    assert typed("--vtgate", "24.0.3, 21.0.2,").vtgates == ("24.0.3", "21.0.2")


@pytest.mark.parametrize(
    "words, said",
    [
        (("--vtgate-flag", "=5"), r"--vtgate-flag takes a name and a value, as in buffer-size=500, not '=5'"),
        (("--vttablet-flag", "--"), r"--vttablet-flag takes a name and a value"),
        (("--vtctld-flag", ""), r"--vtctld-flag takes a name and a value"),
        (("--mysqld-setting", "=x"), r"--mysqld-setting takes a name and a value, as in max_connections=200"),
        (("--set", "baseline_s"), r"--set takes a name and a value, as in baseline_s=10, not 'baseline_s'"),
        (("--set", "baseline_s=long"), r"--set baseline_s=long: it takes a number"),
        (("--set", "baseline_s="), r"--set baseline_s=: it takes a number"),
    ],
)
def test_what_has_not_the_form_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        typed(*words)


@pytest.mark.parametrize("words", [("--shards", "two"), ("--mode", "psychic"), ("--rate", "fast")])
def test_what_is_no_number_or_word_of_the_list_is_refused_by_click(words: tuple[str, ...]) -> None:
    with pytest.raises(click.BadParameter):
        typed(*words)
