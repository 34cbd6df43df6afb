"""Faults: frozen dataclasses; leaving the block heals, and waits until healed."""
