"""Clients of Vitess's own interfaces: vtctld and vtgate over gRPC, /debug/vars over HTTP."""
