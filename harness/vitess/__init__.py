"""Clients of Vitess's own interfaces: vtctld and vtgate over gRPC, /debug/vars over HTTP."""

from __future__ import annotations

import os

# gRPC otherwise writes a line of its own to stderr whenever a process is started beside it.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
