"""Flags are spelled as each binary's own --help spells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters import flags
from clusters.flags import Binary
from harness.base.errors import SoftwareError, UsageError

HELP_21 = """\
VTGate is a stateless proxy responsible for accepting requests.

Flags:
      --bind-address string            Bind address for the server. If empty, the server will listen on all
      --buffer_window duration         Duration for how long a request should be buffered at most (default 10s)
      --enable_buffer                  Enable buffering (stalling) of primary traffic during failovers.
      --logtostderr                    log to standard error instead of files
  -h, --help                           help for vtgate
  -v, --version                        print binary version
"""
HELP_24 = """\
Flags:
      --bind-address string            Bind address for the server. If empty, the server will listen on all
      --buffer-window duration         Duration for how long (not larger than --buffer-max-failover-duration).
      --enable-buffer                  Enable buffering (stalling) of primary traffic during failovers.
      --log-format string              log output format (default "json")
      --topo-trace[=always]            made up: a flag with an optional value
"""


@pytest.fixture
def old() -> Binary:
    return flags.parsed(Path("/x/vtgate"), "vtgate version Version: 21.0.2 (Git revision …", HELP_21)


@pytest.fixture
def new() -> Binary:
    return flags.parsed(Path("/x/vtgate"), "vtgate version Version: 24.0.3 (Git revision …", HELP_24)


def test_version_comes_from_the_binary(old: Binary, new: Binary) -> None:
    assert (old.version, old.major) == ("21.0.2", 21)
    assert (new.version, new.major) == ("24.0.3", 24)


def test_each_binary_gets_its_own_spelling(old: Binary, new: Binary) -> None:
    wanted = {"buffer-window": "10s", "enable-buffer": "", "bind-address": "127.0.0.1"}
    assert old.arguments(wanted) == ["--buffer_window=10s", "--enable_buffer", "--bind-address=127.0.0.1"]
    assert new.arguments(wanted) == ["--buffer-window=10s", "--enable-buffer", "--bind-address=127.0.0.1"]


def test_old_spelling_in_the_spec_is_understood(new: Binary) -> None:
    assert new.arguments({"buffer_window": "1s"}) == ["--buffer-window=1s"]


def test_flag_with_optional_value_is_known(new: Binary) -> None:
    assert new.knows("topo-trace")


def test_words_of_a_description_are_no_flags(new: Binary) -> None:
    assert not new.knows("buffer-max-failover-duration")


def test_optional_flags_are_left_out_where_unknown(old: Binary, new: Binary) -> None:
    wanted = {"log-format": "text", "logtostderr": ""}
    assert old.arguments(wanted, if_known=("log-format", "logtostderr")) == ["--logtostderr"]
    assert new.arguments(wanted, if_known=("log-format", "logtostderr")) == ["--log-format=text"]


def test_unknown_flag_names_the_binary_and_a_close_one(old: Binary) -> None:
    with pytest.raises(UsageError, match=r"vtgate 21\.0\.2 has no flag --bufer-window; did you mean --buffer-window\?"):
        old.arguments({"bufer-window": "10s"})
    assert old.unknown(["enable-buffer", "nothing-like-it-at-all"]) == [
        "vtgate 21.0.2 has no flag --nothing-like-it-at-all"
    ]


def test_another_program_is_refused() -> None:
    with pytest.raises(SoftwareError, match="does not look like a Vitess program"):
        flags.parsed(Path("/bin/ls"), "ls (GNU coreutils) 9.1", "Usage: ls [OPTION]...")


# ---------------------------------------------------------------- values

SAYS_NO = 'invalid argument "abc" for "--healthcheck_timeout" flag: time: invalid duration "abc"'


@pytest.mark.parametrize(
    "printed",
    [
        f"Error: {SAYS_NO}\nUsage:\n  vtgate [flags]\n",
        f"      --warn_sharded_only   If any\n\nF1121 06:10:21.219201   32650 vtgate.go:26] {SAYS_NO}\n",
        '{"time":"2026-11-21T06:10:21Z","level":"ERROR","source":{"line":31},"msg":'
        r'"invalid argument \"abc\" for \"--healthcheck_timeout\" flag: time: invalid duration \"abc\""}',
    ],
    ids=["before the usage", "glog behind it (21.0.2)", "JSON behind it (24.0.3)"],
)
def test_the_complaint_is_found_in_the_usage_text(printed: str) -> None:
    assert flags.complaint(printed) == SAYS_NO


@pytest.mark.parametrize("said", ["flag needs an argument: --cell", "unknown flag: --nonsense"])
def test_other_complaints(said: str) -> None:
    assert flags.complaint(f"Error: {said}\nUsage:\n") == said


@pytest.mark.parametrize(
    "text", ["", HELP_24, "I1121 vtgate.go:1] started\nF1121 topo.go:3] no etcd", '{"msg": 3}', '["a flag: x"]']
)
def test_what_is_no_complaint_about_a_flag(text: str) -> None:
    assert flags.complaint(text) == ""
