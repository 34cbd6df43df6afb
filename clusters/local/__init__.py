"""Clusters of real processes on this host."""
