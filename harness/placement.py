"""In what a cluster stands: the backend and its own options. One table says which option is for which backend."""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.base.errors import PlanError
from harness.model import Placement

DEFAULT_BACKEND = "local"
Given = Mapping[str, str | int | float | bool]  # field of Placement → what was typed
MAX_LOAD_PODS = 64


@dataclass(frozen=True, slots=True)
class Option:
    """An option, the field of Placement that it fills, and who has a use for it."""

    flag: str
    field: str
    backends: tuple[str, ...]


OPTIONS = (
    Option("--image", "image", ("docker", "kubernetes")),
    Option("--together", "together", ("docker",)),
    Option("--memory", "memory_mb", ("docker", "kubernetes")),
    Option("--cpus", "cpus", ("docker", "kubernetes")),
    Option("--context", "context", ("kubernetes",)),
    Option("--kind", "kind", ("kubernetes",)),
    Option("--storage-class", "storage_class", ("kubernetes",)),
    Option("--create", "operator", ("kubernetes",)),
    Option("--load-pods", "load_pods", ("kubernetes",)),
)
OF_THE_RUN = ("load_pods",)  # what a run on a kept cluster may still choose


def require_known(backend: str, known: Collection[str]) -> None:
    """Raises PlanError for a backend that is not one of these."""
    if backend not in known:
        raise PlanError(
            f"no backend is called {backend}; there {'is' if len(known) == 1 else 'are'} {', '.join(known)}"
        )


def placed(backend: str, given: Given) -> Placement:
    """What the options say. Raises PlanError for one that the backend has no use for, or that cannot be."""
    for option in OPTIONS:
        if option.field in given and backend not in option.backends:
            raise PlanError(
                f"{option.flag} means nothing to the backend {backend}; it is for {' and '.join(option.backends)}"
            )
    place = replace(Placement(), **dict[str, Any](given))
    _refuse(place, given)
    return place


def on_kept(name: str, backend: str, place: Placement, given: Given) -> Placement:
    """The place of a run on a kept cluster: the cluster's, which the options may not contradict."""
    wanted = placed(backend, given)
    for option in OPTIONS:
        differs = option.field in given and getattr(wanted, option.field) != getattr(place, option.field)
        if differs and option.field not in OF_THE_RUN:
            how = shlex.join(words(place)) or "without such options"
            raise PlanError(
                f"the cluster {name} stands already, {how}; leave {option.flag} out, or make another cluster with "
                f"`vtchaos up`"
            )
    return replace(place, **{field: getattr(wanted, field) for field in OF_THE_RUN})


def words(place: Placement) -> tuple[str, ...]:
    """A place as the options that make it; () for the default one."""
    return tuple(_words(place))


def _words(place: Placement) -> Iterator[str]:
    for option in OPTIONS:
        value = getattr(place, option.field)
        if value == getattr(Placement(), option.field):
            continue
        yield option.flag
        if option.field == "operator":
            yield "operator"
        elif value is not True:
            yield f"{value:g}" if isinstance(value, float) else str(value)


def _refuse(place: Placement, given: Collection[str]) -> None:
    if "memory_mb" in given and place.memory_mb < 1:
        raise PlanError(f"--memory {place.memory_mb}: it takes megabytes for each container, above 0")
    if "cpus" in given and not (math.isfinite(place.cpus) and place.cpus > 0):
        raise PlanError(f"--cpus {place.cpus:g}: it takes a number of cores for each container, above 0")
    if not 0 <= place.load_pods <= MAX_LOAD_PODS:
        raise PlanError(f"--load-pods {place.load_pods}: it takes 1 to {MAX_LOAD_PODS}, or 0 for no pods")
    if place.kind and place.context:
        raise PlanError("--kind makes a Kubernetes of its own, --context names one that is there: give one of them")
    for flag, text in (("--image", place.image), ("--storage-class", place.storage_class)):
        if text.strip() != text or "\n" in text:
            raise PlanError(f"{flag} {text!r}: a name has no blanks around it")
