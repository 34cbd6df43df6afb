"""Which Vitess program a container runs, and with which flags: read from its pod's specification. Pure."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from harness.model import Role

PROGRAMS: Mapping[str, Role] = {
    "etcd": Role.ETCD,
    "vtctld": Role.VTCTLD,
    "vtorc": Role.VTORC,
    "vtgate": Role.VTGATE,
    "vttablet": Role.VTTABLET,
    "mysqld": Role.MYSQLD,
    "mysqld_safe": Role.MYSQLD,
    "mysqlctl": Role.MYSQLD,
    "mysqlctld": Role.MYSQLD,  # vitess-operator's container "mysqld" (pkg/operator/vttablet/constants.go)
}
_SHELLS = ("sh", "bash", "dash", "ash", "busybox")
_ENDS_A_COMMAND = frozenset((";", "&&", "||", "&", "|", "(", ")", "{", "}", "\n"))
_BEFORE_A_COMMAND = frozenset(("exec", "env", "do", "then", "else", "time", "nohup"))
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_VARIABLE = re.compile(r"\$\((\w+)\)|\$\{(\w+)\}|\$(\w+)")


def program_of(container: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Role, dict[str, str]] | None:
    """What the container runs, and the flags in dashed spelling ("" = the bare flag, or true); None: no Vitess.

    A container whose command says nothing (its image's own, a script of somebody's) is known by its name alone.
    """
    words = [str(word) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]
    found = _started(_shell_words(words), environment)
    if found is not None:
        return found
    role = PROGRAMS.get(str(container.get("name", "")))
    return (role, flags_of(words, environment)) if role is not None else None


def flags_of(words: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """`--flag=value`, `--flag value` and `--flag`, as vitess takes them; in dashed spelling."""
    flags: dict[str, str] = {}
    pending = ""
    for word in words:
        if word.startswith("-") and word.strip("-"):
            name, equals, value = word.lstrip("-").partition("=")
            name = name.replace("_", "-")
            flags[name] = _value(value, environment)
            pending = "" if equals else name
        elif pending:
            flags[pending], pending = _value(word, environment), ""
    return flags


def environment_of(container: Mapping[str, Any], pod: Mapping[str, Any]) -> dict[str, str]:
    """The container's variables, as far as the pod itself tells their values."""
    fields = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"].get("namespace", ""),
        "status.podIP": pod.get("status", {}).get("podIP", ""),
        "status.hostIP": pod.get("status", {}).get("hostIP", ""),
    }
    found: dict[str, str] = {}
    for each in container.get("env") or ():
        path = ((each.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath")
        value = fields.get(path) if path else each.get("value")
        if value is not None:
            found[each["name"]] = str(value)
    return found


def _started(words: Sequence[str], environment: Mapping[str, str]) -> tuple[Role, dict[str, str]] | None:
    """The last Vitess program that stands where a command begins: what comes before it prepares for it."""
    found: tuple[Role, dict[str, str]] | None = None
    for index, word in enumerate(words):
        role = PROGRAMS.get(PurePosixPath(word).name)
        if role is not None and _begins_a_command(words, index):
            end = next((at for at in range(index, len(words)) if words[at] in _ENDS_A_COMMAND), len(words))
            found = role, flags_of(words[index + 1 : end], environment)
    return found


def _begins_a_command(words: Sequence[str], index: int) -> bool:
    while index and _ASSIGNMENT.match(words[index - 1]):
        index -= 1
    return index == 0 or words[index - 1] in _ENDS_A_COMMAND | _BEFORE_A_COMMAND


def _shell_words(words: list[str]) -> list[str]:
    """The words of a script, where a shell is given one; else the words themselves."""
    if not words or PurePosixPath(words[0]).name not in _SHELLS:
        return words
    scripts = [after for option, after in itertools.pairwise(words) if re.fullmatch(r"-[a-z]*c", option)]
    if not scripts:
        return words[1:]
    lexer = shlex.shlex(scripts[0].replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # an odd quote: the plain words still tell most
        return scripts[0].split()


def _value(text: str, environment: Mapping[str, str]) -> str:
    value = _VARIABLE.sub(lambda found: environment.get(found[1] or found[2] or found[3], found[0]), text)
    return "" if value == "true" else value
