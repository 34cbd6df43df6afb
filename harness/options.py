"""The options that `plan`, `run` and `up` share, and their reading into Overrides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from clusters import BACKENDS
from harness.base.errors import PlanError
from harness.base.goduration import duration_s
from harness.model import ConnectionMode, Objective, Placement
from harness.placement import DEFAULT_BACKEND
from harness.planning import Overrides
from harness.streams import Resume

F = TypeVar("F", bound=Callable[..., Any])
SEED = click.IntRange(0, 2**63 - 1)  # what a JSON file of ours can hold

objective_option = click.option(
    "--objective",
    metavar="PERCENT[@TIME]",
    help="What clients' availability is held against: 99.9 % answered within 0.5 s unless told otherwise, as in "
    "99.95@200ms. Judges nothing.",
)
_CREATE = {"own": False, "operator": True}
_CLUSTER = (
    click.option("--shards", type=int, help="Shards of the keyspace."),
    click.option("--tablets", type=int, help="Tablets a shard (mysqld + vttablet each)."),
    click.option("--vitess", metavar="RELEASE|DIR", help="Release of all components, or a folder of binaries."),
    click.option("--upgrade-to", metavar="RELEASE|DIR", help="A second release, made ready for rolling upgrades."),
    click.option(
        "--vtgate",
        "vtgates",
        metavar="RELEASE[,RELEASE…]",
        help="A vtgate of each of these releases; an experiment uses each of them, and judges each on its own.",
    ),
    click.option("--mysql", metavar="SERIES|DIR", help="MySQL server, e.g. 9.7 or 8.0."),
    click.option("--durability", metavar="POLICY", help="Keyspace durability policy: none, semi_sync, …"),
    click.option("--vtorc/--no-vtorc", default=None, help="Run a vtorc."),
    click.option("--window", metavar="DURATION", help="vtgate's --buffer-window, e.g. 10s."),
    click.option("--vtgate-flag", "vtgate_flags", metavar="FLAG=VALUE", multiple=True, help="Any vtgate flag."),
    click.option("--vttablet-flag", "vttablet_flags", metavar="FLAG=VALUE", multiple=True, help="Any vttablet flag."),
    click.option("--vtctld-flag", "vtctld_flags", metavar="FLAG=VALUE", multiple=True, help="Any vtctld flag."),
    click.option("--copy-phase", metavar="DURATION", help="vttablet's --vreplication-copy-phase-duration, e.g. 300ms."),
    click.option("--mysqld-setting", "mysqld_settings", metavar="KEY=VALUE", multiple=True, help="Any my.cnf key."),
)
_PLACE = (
    click.option(
        "--backend",
        metavar="|".join(BACKENDS),
        help=f"Where the cluster stands: this host's own processes, containers, pods. [default: {DEFAULT_BACKEND}]",
    ),
    click.option("--image", metavar="REF", help="Image of all Vitess components; `{version}` in it is replaced."),
    click.option(
        "--together", is_flag=True, default=None, help="docker: a tablet's mysqld and vttablet in one container."
    ),
    click.option("--memory", "memory_mb", type=int, metavar="MB", help="docker, kubernetes: limit of each container."),
    click.option("--cpus", type=float, metavar="N", help="docker, kubernetes: cores that each container may use."),
    click.option("--context", metavar="NAME", help="kubernetes: of the kubeconfig, instead of the current one."),
    click.option("--kind", is_flag=True, default=None, help="kubernetes: in a kind cluster made for this one."),
    click.option(
        "--storage-class", metavar="NAME", help="kubernetes: tablets keep their data in volumes of this class."
    ),
    click.option(
        "--create",
        type=click.Choice(list(_CREATE)),
        help="kubernetes: stand it up with our own manifests (the default), or as a VitessCluster of vitess-operator.",
    ),
)
_LOAD_PODS = (
    click.option("--load-pods", type=int, metavar="N", help="kubernetes: run the load in N pods beside the cluster."),
)
_LOAD = (
    click.option("--rate", type=float, metavar="N", help="Operations a second for each shard, through each vtgate."),
    click.option("--connections", type=int, metavar="N", help="Connections for each shard, to each vtgate."),
    click.option("--write-share", type=float, metavar="SHARE", help="Share of writes, 0 to 1."),
    click.option("--mode", type=click.Choice([mode.value for mode in ConnectionMode]), help="How clients connect."),
    click.option("--workers", type=int, metavar="N", help="Load processes for each vtgate."),
    click.option(
        "--operation-timeout", "operation_timeout_s", type=float, metavar="SECONDS", help="A client's patience."
    ),
    click.option("--set", "params", metavar="NAME=NUMBER", multiple=True, help="A parameter of the experiment."),
    objective_option,
    click.option("--timeout", "timeout_s", type=float, metavar="SECONDS", help="Bound of the whole timeline."),
)
_STREAMS = (
    click.option("--rows", type=int, metavar="N", help="Rows of each item table, over all shards."),
    click.option("--item-tables", type=int, metavar="N", help="Item tables."),
    click.option("--streams", type=int, metavar="N", help="VStreams through each vtgate."),
    click.option("--reader-pause", "pause_ms", type=float, metavar="MS", help="Readers wait so long after a response."),
    click.option(
        "--resume",
        type=click.Choice([each.value for each in Resume]),
        help="What a stream does that ended with an error.",
    ),
    click.option(
        "--tablet-type", type=click.Choice(["primary", "replica"]), help="The tablets from which streams are read."
    ),
)
_PAIRS = {
    "vtgate_flags": "--vtgate-flag",
    "vttablet_flags": "--vttablet-flag",
    "vtctld_flags": "--vtctld-flag",
    "mysqld_settings": "--mysqld-setting",
    "params": "--set",
}
_FORM = {
    "--vtgate-flag": "buffer-size=500",
    "--vttablet-flag": "health-check-interval=5s",
    "--vtctld-flag": "action-timeout=1m",
    "--mysqld-setting": "max_connections=200",
    "--set": "baseline_s=10",
}


def cluster_options(command: F) -> F:
    return _with(_CLUSTER, command)


def place_options(command: F) -> F:
    """The command takes `backend` (None = not given) beside what `overrides` reads."""
    return _with(_PLACE, command)


def load_options(command: F) -> F:
    return _with((*_LOAD_PODS, *_LOAD, *_STREAMS), command)


def _with(options: Iterable[Callable[[F], F]], command: F) -> F:
    for option in reversed(tuple(options)):
        command = option(command)
    return command


def overrides(given: dict[str, Any]) -> Overrides:
    """What click parsed, as Overrides. Raises PlanError."""
    words = {key: value for key, value in given.items() if value is not None}
    for key, option in _PAIRS.items():
        words[key] = dict(_pair(text, option) for text in words.get(key, ()))
    words["params"] = {name: _number(name, text) for name, text in words["params"].items()}
    if "vtgates" in words:
        words["vtgates"] = tuple(text.strip() for text in words["vtgates"].split(",") if text.strip())
    if "create" in words:
        words["operator"] = _CREATE[words.pop("create")]
    words["place"] = {field: words.pop(field) for field in Placement.__dataclass_fields__ if field in words}
    if "mode" in words:
        words["mode"] = ConnectionMode(words["mode"])
    if "resume" in words:
        words["resume"] = Resume(words["resume"])
    if "objective" in words:
        words["objective"] = objective_of(words["objective"])
    return Overrides(**words)


def objective_of(text: str) -> Objective:
    """`99.9`, `99.95@200ms`. Raises PlanError."""
    percent, at, within = text.replace("%", "").partition("@")
    try:
        found = Objective(percent=float(percent), within_s=duration_s(within) if at else Objective().within_s)
    except ValueError:
        raise PlanError(f"--objective takes a percentage and perhaps a time, as in 99.9@500ms, not {text!r}") from None
    if not (0 < found.percent <= 100 and found.within_s > 0):
        raise PlanError(f"--objective {text}: it takes a percentage above 0, up to 100, and a time above 0")
    return found


def _pair(text: str, option: str) -> tuple[str, str]:
    """`flag=value`; a bare `flag` has the value "" (the bare flag). Leading dashes are forgiven."""
    name, equals, value = text.lstrip("-").partition("=")
    if not name or (option == "--set" and not equals):
        raise PlanError(f"{option} takes a name and a value, as in {_FORM[option]}, not {text!r}")
    return name.replace("_", "-") if option.endswith("-flag") else name, value


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise PlanError(f"--set {name}={text}: it takes a number") from None
