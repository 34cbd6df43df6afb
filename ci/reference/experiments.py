"""Experiments: the question, the cluster, the load, what is judged, what can be changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby

from ci.reference.markdown import NOTHING, anchor, code, codes, page, plain, table
from experiments import EXPERIMENTS
from harness.contracts import Experiment
from harness.model import ClusterSpec, KnownBug, LoadSpec, Workload

HEAD = """
`vtchaos run NAME` runs one, `vtchaos plan NAME` says what would run. Every option of `run` changes any of them; `--set`
changes a parameter of the table. `faults/healed` and `faults/clean` are judged in every run, whatever it asks for.
"""


def experiments() -> str:
    """One overview, then a section for each family."""
    rows = (
        (f"[`{each.name}`](#{anchor(_family(each))})", plain(each.why), _suites(each)) for each in EXPERIMENTS.values()
    )
    by_family = sorted(EXPERIMENTS.values(), key=_family)
    sections = (_section(name, list(members)) for name, members in groupby(by_family, key=_family))
    return page("Experiments", HEAD.strip(), table(("experiment", "the question", "suites"), rows), *sections)


def _family(experiment: Experiment) -> str:
    return experiment.name.partition("/")[0]


def _suites(experiment: Experiment) -> str:
    return ", ".join(sorted(suite.value for suite in experiment.suites))


def _section(family: str, members: list[Experiment]) -> str:
    shared = [name for name in _checks(members[0]) if all(name in _checks(member) for member in members)]
    said = f"Checks of all of them: {_linked(shared)}."
    return "\n\n".join((f"## {family}", said, *(part for member in members for part in _parts(member, shared))))


def _checks(experiment: Experiment) -> list[str]:
    return [check.name for check in experiment.checks]


def _parts(experiment: Experiment, shared: Collection[str]) -> Iterator[str]:
    yield f"### {experiment.name}"
    yield plain(experiment.why)
    yield "\n".join(f"- {line}" for line in _facts(experiment, shared))
    if experiment.known_bugs:
        yield table(("known bug", "shown by", "in", "where"), (_bug(bug) for bug in experiment.known_bugs))


def _facts(experiment: Experiment, shared: Collection[str]) -> Iterator[str]:
    yield f"cluster: {_cluster(experiment.cluster)}"
    yield f"load: {_load(experiment.load)}"
    if experiment.items is not None:
        yield f"item tables: {experiment.items.tables} of {experiment.items.rows:,} rows"
    for stream in experiment.streams:
        yield f"streams: {stream.count} through each vtgate, from {stream.tablet_type} tablets, resume {stream.resume}"
    yield f"parameters: {_params(experiment.params)}"
    own = [name for name in _checks(experiment) if name not in shared]
    if own:
        yield f"its own checks: {_linked(own)}"
    yield f"suites: {_suites(experiment)}; at most {experiment.timeout_s:g} s"


def _cluster(spec: ClusterSpec) -> str:
    words = [f"{spec.shards} shard{'s' if spec.shards > 1 else ''} x {spec.tablets_per_shard} tablets"]
    words += [f"{' and '.join(spec.further_shards)} beside them"] if spec.further_shards else []
    words += [f"keyspace {other.name}: {other.shards} x {other.tablets_per_shard}" for other in spec.others]
    words += ["vtorc"] if spec.vtorc else []
    vtgates = [spec.vtgate_version(index) for index in range(len(spec.vtgates))]
    words += [f"vtgates {', '.join(vtgates)}"] if len(vtgates) > 1 or vtgates != [spec.vitess] else []
    words += [f"Vitess {spec.vitess}"] if spec.vitess != ClusterSpec().vitess else []
    words += [f"second release {spec.upgrade_to}"] if spec.upgrade_to else []
    for role, flags in (
        ("vtgate", spec.vtgate_flags),
        ("vttablet", spec.vttablet_flags),
        ("vtctld", spec.vtctld_flags),
    ):
        words += [f"{role} `{_flags(flags)}`"] if flags else []
    return ", ".join(words)


def _flags(flags: Mapping[str, str]) -> str:
    return " ".join(f"--{name}={value}" if value else f"--{name}" for name, value in flags.items())


def _load(load: LoadSpec | None) -> str:
    if load is None:
        return "none"
    what = "changes of item rows" if load.workload is Workload.ITEMS else f"{load.write_share:.0%} writes"
    return (
        f"{load.rate_per_shard:g}/s for each shard through each vtgate, {what}, {load.connections_per_shard} "
        f"{load.mode.value} connections for each shard"
    )


def _params(params: Mapping[str, float]) -> str:
    return codes(f"{name}={value:g}" for name, value in params.items())


def _linked(names: Iterable[str]) -> str:
    return ", ".join(f"[{name}](checks.md#{anchor(name)})" for name in names) or NOTHING


def _bug(bug: KnownBug) -> tuple[str, str, str, str]:
    until = f"before {bug.fixed_in}" if bug.fixed_in else "not fixed in any release"
    since = f"from {bug.affected_from}, " if bug.affected_from != "0" else ""
    how = "" if bug.certain else " (a race: it need not show)"
    shown = ", ".join(code(name) for name in (bug.check, *bug.also))
    return plain(bug.issue), shown, bug.component.value, f"{since}{until}{how}"
