"""Clusters of containers on a Docker engine."""
