"""Clusters in Kubernetes: from own manifests, or ones that are there already."""
