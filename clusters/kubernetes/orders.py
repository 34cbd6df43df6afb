"""What is said to the agents (agent.sh), as lines of shell. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from clusters.common.commands import Command

NOT_RUNNING = "not running"
STOPPED = ("T", "t")  # by a signal, by a debugger
ALREADY_RUNNING = "already running"
_END = "VTCHAOS_END_OF_FILE"
_RUNNING = 3  # exit status of an order to start what runs


def start(state: str, number: int, command: Command) -> str:
    """Start a program. Fails with "already running"."""
    return "\n".join(
        (
            "set -e",
            *_agent_there(state),
            f'[ -e {state}/pid ] && {{ echo "it is {ALREADY_RUNNING}"; exit {_RUNNING}; }}',
            *file(f"{state}/run", program(command)),
            *_told(state, number, "start"),
        )
    )


def signal(state: str, number: int, signum: int) -> str:
    """Signal the program; prints `NOT_RUNNING` when there is none."""
    return "\n".join(("set -e", *_agent_there(state), *_told(state, number, f"signal {signum}")))


def seen(state: str, number: int) -> str:
    """Prints the state of the program's first thread as the kernel has it, a letter of proc(5), or `NOT_RUNNING`."""
    return "\n".join(("set -e", *_agent_there(state), *_told(state, number, "state")))


def running(state: str) -> str:
    """Prints the order's number and the process, or nothing."""
    return f"cat {state}/pid 2>/dev/null || true"


def program(command: Command) -> str:
    """A script that becomes the program, with nothing of the container's environment."""
    words = ["env", "-i", *(f"{key}={value}" for key, value in command.env.items()), *command.argv]
    return f"cd {shlex.quote(str(command.cwd))} && exec {shlex.join(words)}\n"


def folder(path: str, files: Mapping[str, str], *, template: str = "") -> str:
    """A node's folder with files in it; with a data directory and one for temporary files when there is a template."""
    lines = ["set -e", f"mkdir -p {path}"]
    if template:
        # sparse: most of a new data directory is zeros, which would be memory or disk of their own otherwise
        copy = f"cp -R --sparse=always {template} {path}/data 2>/dev/null || cp -R {template}/. {path}/data"
        lines += [f"mkdir -p {path}/tmp", copy]
    for name, text in files.items():
        lines += file(f"{path}/{name}", text)
    return "\n".join(lines)


def file(path: str, text: str) -> list[str]:
    """A text file."""
    assert _END not in text, path
    return [f"cat > {path} <<'{_END}'", text.removesuffix("\n"), _END]


def _agent_there(state: str) -> list[str]:
    """The container runs; its first process may not have come so far (it never took a second)."""
    return [f"n=0; while [ ! -p {state}/replies ] && [ $n -lt 100 ]; do n=$((n+1)); sleep 0.05; done"]


def _told(state: str, number: int, order: str) -> list[str]:
    """An answer to an earlier order may still lie there: who gave it is gone."""
    return [
        f'echo "{number} {order}" > {state}/orders',
        f'while read -r to said < {state}/replies; do [ "$to" = {number} ] && break; done',
        'echo "$said"',
    ]
