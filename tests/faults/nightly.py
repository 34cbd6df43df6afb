"""What only the nightly run tests, on which backend, and why: CI has five minutes for the faults of a backend.

`VTCHAOS_NIGHTLY=1` runs all. Nothing is here that some backend does not test in every run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

SWITCH = "VTCHAOS_NIGHTLY"
TEN_SECONDS = "up to 10 s of waiting until a process ends that was asked to; the local backend tests it in every run"
IN_A_LOOP = "the kills and starts of Killed, again and again; the row of the replica's vttablet runs, here and there"
SAME_LIMIT = "8 s of waiting for evidence that must not come; a limit is a container's, whatever runs in it"
SEMI_SYNC = "up to 10 s until a replica connects again; what is done to the container is what Killed does"

ONLY: Mapping[str, Mapping[str, str]] = {
    "docker": {
        **{f"Slowed-{where}": SAME_LIMIT for where in ("etcd", "vtctld", "primary vttablet", "replica vttablet")},
        **{f"Slowed-{where}": SAME_LIMIT for where in ("primary mysqld", "replica mysqld")},
        **{f"CrashLoop-{where}": IN_A_LOOP for where in ("etcd", "vtctld", "vtgate", "primary vttablet")},
        **{f"CrashLoop-{where}": IN_A_LOOP for where in ("replica vttablet", "primary mysqld", "replica mysqld")},
        **{f"Terminated-{where}": TEN_SECONDS for where in ("primary vttablet", "replica vttablet")},
        **{f"Restarted-{where}": TEN_SECONDS for where in ("primary vttablet", "replica vttablet")},
        **{f"{fault}-primary mysqld": SEMI_SYNC for fault in ("Terminated", "Restarted")},
    },
}
"""Backend → the end of a test's parameters → why."""


def why_not_now(parameters: str) -> str:
    """Of a test, by what stands between its brackets: the backend, then the rest; "" = it runs."""
    if os.environ.get(SWITCH):
        return ""
    backend, _, rest = parameters.partition("-")
    why = ONLY.get(backend, {}).get(rest, "")
    return f"only nightly ({SWITCH}=1): {why}" if why else ""
