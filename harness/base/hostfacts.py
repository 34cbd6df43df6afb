"""What the machine was, for the report: a figure without its host says little."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil


def host_facts() -> dict[str, str | int | float]:
    """Cores, memory, kernel, Python, and how loaded the machine was at that moment."""
    return {
        "cores": os.cpu_count() or 0,
        "memory_bytes": psutil.virtual_memory().total,
        "memory_available_bytes": psutil.virtual_memory().available,
        "load_1min": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "python": platform.python_version(),
        "root": os.geteuid() == 0,
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
