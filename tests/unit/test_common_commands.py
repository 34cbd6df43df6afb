"""Command lines and my.cnf of a local cluster's nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from clusters import flags
from clusters.common import commands, mysqld, obtained
from clusters.flags import Binary
from clusters.software import Sources
from harness.base.errors import UsageError
from harness.model import ClusterSpec, VtgateSpec
from tests.unit.local_fakes import mysql_install, plan, programs


def test_each_vtgate_is_spelled_for_its_own_version() -> None:
    spec = ClusterSpec(
        shards=1,
        vtgates=(VtgateSpec(), VtgateSpec(version="21.0.2", flags={"buffer-window": "5s"})),
        vtgate_flags={"enable-buffer": "", "buffer-window": "10s"},
    )
    here, made = plan(spec), programs("24.0.3", "21.0.2")
    new = commands.command(here, made, here.node("vtgate-1")).argv
    old = commands.command(here, made, here.node("vtgate-2")).argv
    assert {"--enable-buffer", "--buffer-window=10s", "--log-format=text"} <= set(new)
    assert {"--enable_buffer", "--buffer_window=5s", "--logtostderr", "--bind-address=198.19.0.1"} <= set(old)
    assert not any("log-format" in word for word in old)
    assert "--logtostderr" not in new


def test_flags_of_the_spec_win_over_ours() -> None:
    spec = ClusterSpec(shards=1, vttablet_flags={"init-tablet-type": "rdonly"})
    here = plan(spec)
    assert commands.wanted_flags(here, here.node("vttablet-100"))["init-tablet-type"] == "rdonly"


def test_unknown_flag_is_refused() -> None:
    here = plan(ClusterSpec(shards=1, vtgate_flags={"no-such-flag": "1"}))
    with pytest.raises(UsageError, match=r"vtgate 24\.0\.3 has no flag --no-such-flag"):
        commands.command(here, programs(), here.node("vtgate-1"))


def test_unknown_flags_are_told_once_per_binary_before_anything_starts() -> None:
    spec = ClusterSpec(
        shards=2,
        vtgates=(VtgateSpec(), VtgateSpec(), VtgateSpec(version="21.0.2", flags={"log-format": "text"})),
        vtgate_flags={"bufer-window": "1s", "enable-buffer": ""},
        vttablet_flags={"no-such": ""},
    )
    assert obtained.unknown_flags(spec, programs("24.0.3", "21.0.2")) == (
        "vttablet 24.0.3 has no flag --no-such",
        "vtgate 24.0.3 has no flag --bufer-window; did you mean --buffer-window?",
        "vtgate 21.0.2 has no flag --bufer-window; did you mean --buffer-window?",
        "vtgate 21.0.2 has no flag --log-format",
    )


def test_a_single_tablet_has_no_replica_to_wait_for() -> None:
    here = plan(ClusterSpec(shards=1, tablets_per_shard=1))
    assert commands.wanted_flags(here, here.node("vtgate-1"))["tablet-types-to-wait"] == "PRIMARY"


def test_the_environment_is_our_own() -> None:
    here = plan(ClusterSpec(shards=1))
    command = commands.command(here, programs(), here.node("vttablet-100"))
    assert command.env["VT_MYSQL_ROOT"] == "/opt/mysql"
    assert command.env["TMPDIR"] == str(here.folder(here.node("mysqld-100")) / "tmp")
    assert "VTCHAOS_CACHE" not in command.env
    assert command.cwd == here.folder(here.node("mysqld-100")) / "data"  # where the socket is


def rows(**overrides: str) -> dict[str, str]:
    text = mysqld.my_cnf(
        mysql=mysql_install(), folder=Path("/d"), server_id=100, address="198.19.0.1", port=27100, overrides=overrides
    )
    lines = [line.partition(" = ") for line in text.splitlines()[1:]]
    return {key: value for key, _, value in lines}


def test_nothing_acknowledged_may_be_lost_with_mysqld() -> None:
    """Written to the page cache at each commit; a torn page is repaired; never innodb_flush_log_at_trx_commit=0."""
    settings = rows()
    assert settings["innodb_flush_log_at_trx_commit"] == "2"
    assert "innodb_doublewrite" not in settings  # on by default


def test_vttablet_finds_its_keys() -> None:
    settings = rows()
    assert (settings["server_id"], settings["port"], settings["socket"]) == ("100", "27100", "mysql.sock")


def test_settings_of_the_spec_win() -> None:
    settings = rows(**{"innodb-redo-log-capacity": "64M", "super_read_only": "OFF"})
    assert settings["innodb_redo_log_capacity"] == "64M"
    assert "loose_innodb_redo_log_capacity" not in settings
    assert settings["super_read_only"] == "OFF"


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("8.0.15", ("skip_slave_start", "loose_rpl_semi_sync_master_wait_no_slave")),
        ("8.4.3", ("skip_replica_start", "loose_rpl_semi_sync_source_wait_no_replica")),
    ],
)
def test_replication_words_follow_the_server(version: str, words: tuple[str, ...]) -> None:
    assert set(words) <= set(mysqld.as_vitess_wants(version))


# ---------------------------------------------------------------- what is refused before anything starts


async def test_what_is_refused_does_not_depend_on_what_is_installed(tmp_path: Path) -> None:
    """Nothing at all is here, not even an etcd."""
    nowhere = Sources(cache_dir=tmp_path, install=False)
    spec = ClusterSpec(shards=1, vitess=str(tmp_path), mysql="7.7")
    assert await obtained.unusable(spec, nowhere) == (
        f"{tmp_path} has no vtctld, vtgate, vttablet; build them there, or name a release instead",
        "there is no MySQL 7.7 here, and none can be had: 8.0.15 and a 9 can be installed; for any other, name the "
        "folder of one that you have",
    )
    assert await obtained.unusable(ClusterSpec(shards=1, vitess="22.0.4", mysql="9.7"), nowhere) == (
        "vttablet 22.0.4 cannot manage MySQL 9.7; it takes 8.0 or 8.4",
    )
    for fine in (ClusterSpec(shards=1), ClusterSpec(shards=1, mysql="9.7"), ClusterSpec(shards=1, vitess="22.0.4")):
        assert await obtained.unusable(fine, nowhere) == ()


async def test_refused_values_are_told_once_per_binary(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def refused_value(binary: Binary, given: Mapping[str, str]) -> str:
        asked.append((binary.version, dict(given)))
        return f"{binary.path.name} {binary.version}: no" if "abc" in given.values() else ""

    monkeypatch.setattr(flags, "refused_value", refused_value)
    spec = ClusterSpec(
        shards=2,
        vtgates=(VtgateSpec(), VtgateSpec(), VtgateSpec(version="21.0.2", flags={"buffer-window": "abc"})),
        vtgate_flags={"buffer-window": "1s"},
        vttablet_flags={"health-check-interval": "abc"},
    )
    said = await obtained.refused_values(spec, programs("24.0.3", "21.0.2"))
    assert said == ("vtgate 21.0.2: no", "vttablet 24.0.3: no")
    assert len(asked) == 3


def test_a_mysqld_over_tcp_is_told_to_its_vttablet_only_where_the_spec_wants_it() -> None:
    here = plan(ClusterSpec(shards=1, mysql_over_tcp=True))
    over_tcp = commands.wanted_flags(here, here.node("vttablet-101"))
    assert (over_tcp["db-host"], over_tcp["db-port"]) == (here.hosts["mysqld-101"], "27101")
    assert {over_tcp[f"db-{role}-user"] for role in ("app", "dba", "filtered")} == {mysqld.ADMIN_USER}
    here = plan(ClusterSpec(shards=1))
    assert not [flag for flag in commands.wanted_flags(here, here.node("vttablet-101")) if flag.startswith("db-")]
