"""The process that owns a local cluster's processes. Standard library only: it is started with `python -S -E`.

Imported as `clusters.local.supervisor` by tests and as the top-level package `supervisor` by itself, hence
relative imports only.
"""
