"""Whether we may touch a cluster that somebody else made: what is shown, what must be typed, what is refused. Pure.

Nothing is done before the plan was shown and `--i-own-this-cluster NAME` was spelled out. NAME is the context's name or
the namespace's. Where a name looks like production, or the cluster is larger than anything an experiment stands up,
only the context's own name will do: whoever types it has read it.

An answer is good for what was shown and nothing else. A cluster is told by the uid of its namespace kube-system, and
the namespace by its own: a context that was pointed elsewhere meanwhile, or a namespace that was made anew under the
old name, is noticed at every later use.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.base.errors import PlanError

OPTION = "--i-own-this-cluster"
# `prod` counts wherever it stands in a word (prodeu, dbprod), less the words that have it by chance, those of other
# languages for "product" too; `prd` at a word's begin or end; `live` only as a word of its own: delivery, olive.
_BY_CHANCE = re.compile(
    r"^non(?:production|prod|prd)|^reproduction|produ(?:c(?!tion)|kt(?!ion)|it|to)|prod(?:ott|ig|rom|rug)"
)
_PRODUCTION = re.compile(r"production|prod|^prd|prd$|^live$")
_NEGATION = "non"  # non-prod is none. Neither "not" nor "no", which may be Norway or the end of another word
# The largest experiment of ours has 32 shards of 2 tablets: a keyspace beyond that was not made for a test.
MOST_TABLETS = 64
_LETTERS = re.compile(r"[A-Za-z]+")
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_CAPITALS = re.compile(r"[A-Z]{2,}")  # the LIVE of LIVEdb


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What would be touched, and what tells it from any other. A uid is "" when we may not read it."""

    context: str
    server: str
    namespace: str
    cluster_uid: str  # of the namespace kube-system
    namespace_uid: str
    vitess_cluster: str = ""  # "" = whatever Vitess is in the namespace
    cluster_entry: str = ""  # names of the kubeconfig's entries that the context refers to
    user_entry: str = ""

    @property
    def words(self) -> str:
        of = f"VitessCluster {self.vitess_cluster} in " if self.vitess_cluster else ""
        return f"{of}namespace {self.namespace} of context {self.context} ({self.server})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """The plan of attaching, as it is shown. `faults`: what can be done to it → "", or why not."""

    name: str
    target: Target
    found: Sequence[str]
    missing: Sequence[str]
    creates: Sequence[str]
    faults: Mapping[str, str]
    signs: Sequence[str] = ()
    warnings: Sequence[str] = ()


class Changed(PlanError):
    """It is another cluster or namespace than before, or it is gone."""


def signs_of_production(target: Target, *, tablets: int) -> tuple[str, ...]:
    """Why this may be production, a clause each; () when nothing says so."""
    names = {
        "the context's name": target.context,
        "the server's name": urlsplit(target.server).hostname or "",
        "the namespace's name": target.namespace,
        "the VitessCluster's name": target.vitess_cluster,
        "the kubeconfig's name for the cluster": target.cluster_entry,
        "the kubeconfig's name for the user": target.user_entry,
    }
    found = [f"{what} ({name}) has the word {word}" for what, name in names.items() if (word := _production(name))]
    found += [
        f"{what} ({name!a}) has letters outside of a-z, which can look like others"
        for what, name in names.items()
        if not name.isascii()
    ]
    if tablets > MOST_TABLETS:
        found.append(f"the keyspace has {tablets} tablets, more than any experiment stands up ({MOST_TABLETS})")
    return tuple(found)


def accepted(target: Target, signs: Sequence[str]) -> tuple[str, ...]:
    """The names that are taken as an answer."""
    if signs:
        return (target.context,)
    return tuple(dict.fromkeys((target.context, target.namespace)))


def confirm(showing: Showing, answer: str) -> None:
    """Raises PlanError unless `answer` is exactly what is asked for."""
    names = accepted(showing.target, showing.signs)
    if answer in names:
        return
    wanted = " or ".join(f"`{OPTION} {name}`" for name in names)
    if not answer:
        raise PlanError(f"nothing was done; if this cluster is yours to break, say so with {wanted}")
    if showing.signs:
        raise PlanError(
            f"refused: this looks like production ({'; '.join(showing.signs)}), and {answer!r} is not its context's "
            f"name; if it is yours to break all the same, say so with {wanted}"
        )
    raise PlanError(f"refused: {answer!r} is not the name of what would be touched; it takes {wanted}")


def same(before: Target, now: Target, *, when: str) -> None:
    """Raises Changed when `now` is something else than `before`, PlanError when that cannot be told. `when`: e.g. "the
    plan was shown"."""
    if before.cluster_uid and now.cluster_uid and before.cluster_uid != now.cluster_uid:
        raise Changed(
            f"refused: when {when}, context {before.context} was the cluster {before.cluster_uid} at {before.server}; "
            f"now {now.context} is the cluster {now.cluster_uid} at {now.server}"
        )
    if before.namespace != now.namespace or before.namespace_uid != now.namespace_uid:
        raise Changed(
            f"refused: when {when}, the namespace was {before.namespace} ({before.namespace_uid}); "
            f"now it is {now.namespace} ({now.namespace_uid or 'gone'})"
        )
    if before.cluster_uid and not now.cluster_uid:
        raise PlanError(
            f"refused: which cluster this is can no longer be told: the namespace kube-system cannot be read any more "
            f"(when {when}, it could)"
        )
    if before.vitess_cluster != now.vitess_cluster:
        raise PlanError(
            f"refused: when {when}, it was the VitessCluster {before.vitess_cluster or '(any)'}; "
            f"now it is {now.vitess_cluster or '(any)'}"
        )


def lines(showing: Showing) -> tuple[str, ...]:
    """The plan for people."""
    target = showing.target
    rows = [
        f"attach {showing.name} to a Vitess that is not ours",
        f"  context    {target.context}",
        f"  server     {target.server}",
        f"  namespace  {target.namespace}"
        + (f", VitessCluster {target.vitess_cluster}" if target.vitess_cluster else ""),
    ]
    rows += [f"  found      {each}" for each in showing.found]
    rows += [f"  missing    {each}" for each in showing.missing]
    rows += [f"  creates    {each}" for each in showing.creates]
    rows += [f"  permitted  {fault}" for fault, why in showing.faults.items() if not why]
    rows += [f"  not        {fault}: {why}" for fault, why in showing.faults.items() if why]
    rows += [f"  beware     {each}" for each in showing.warnings]
    rows += [f"  PRODUCTION? {each}" for each in showing.signs]
    return tuple(rows)


def _production(name: str) -> str:
    """The word in a name that says production; "" for none. Digits stand between words like any sign: prod2."""
    before = ""
    for letters in _LETTERS.findall(unicodedata.normalize("NFKC", name)):
        word = letters.lower()
        found = _PRODUCTION.search(_BY_CHANCE.sub(" ", before + word))
        if found:
            return str(found[0])
        parts: set[str] = {part.lower() for part in (*_CAMEL.findall(letters), *_CAPITALS.findall(letters))}
        if before != _NEGATION and parts & {"prd", "live"}:
            return min(parts & {"prd", "live"})
        before = word if word == _NEGATION else ""
    return ""
