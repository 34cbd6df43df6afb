"""What all our gRPC channels to Vitess do about connections."""

from __future__ import annotations

# A server is killed and started again here: a call soon after it is back must not be answered from the channel's memory
# of the failure, which gRPC keeps for up to two minutes. What gRPC calls the least backoff is how long one attempt may
# take (doc/connection-backoff.md, MIN_CONNECT_TIMEOUT): no busy host is to end it ("tcp handshaker shutdown"), but two
# SYNs that are lost are, after 1 s and 3 s.
RECONNECTS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.min_reconnect_backoff_ms", 5000),
)
