"""Which commit of this project runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
GIT_WITHIN_S = 10.0


def commit() -> str:
    """Now; "" outside of a repository."""
    words = ("git", "-C", str(ROOT), "rev-parse", "--short=7", "HEAD")
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=GIT_WITHIN_S).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
