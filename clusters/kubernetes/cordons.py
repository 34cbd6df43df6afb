"""Cordoned machines: no pod, of anybody, is placed on them. Each says for which namespace of ours, so that whoever
removes or heals that finds it, and nobody opens what somebody else has closed."""

from __future__ import annotations

from collections.abc import Sequence

from clusters.kubernetes.api import Api
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import NODE, annotations_of, name_of
from harness.base.errors import ClusterError

FOR = "vtchaos.dev/cordoned-for"  # annotation of the machine: the namespace


async def cordon(api: Api, machine: str, namespace: str) -> None:
    """Raises ClusterError: it is cordoned by somebody else; ApiError."""
    if await is_cordoned(api, machine) and machine not in await of(api, namespace):
        raise ClusterError(f"the machine {machine} is cordoned already, by somebody else")
    await api.patch(NODE, machine, {"metadata": {"annotations": {FOR: namespace}}, "spec": {"unschedulable": True}})


async def uncordon(api: Api, machine: str, namespace: str) -> None:
    """Raises ApiError."""
    if machine in await of(api, namespace):
        await api.patch(NODE, machine, {"metadata": {"annotations": {FOR: None}}, "spec": {"unschedulable": None}})


async def is_cordoned(api: Api, machine: str) -> bool:
    """By whomever. Raises ApiError."""
    found = await api.get(NODE, machine)
    return bool(found and found["spec"].get("unschedulable"))


async def of(api: Api, namespace: str) -> Sequence[str]:
    """The machines that are cordoned for this namespace; none where machines may not be listed: none can be ours."""
    try:
        machines = await api.list(NODE)
    except ApiError as error:
        if error.status == 403:
            return ()
        raise
    return [name_of(row) for row in machines if annotations_of(row).get(FOR) == namespace]


async def opened(api: Api, namespace: str) -> None:
    """All that are cordoned for this namespace. Raises ApiError."""
    for machine in await of(api, namespace):
        await uncordon(api, machine, namespace)
