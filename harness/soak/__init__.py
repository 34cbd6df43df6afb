"""Runs all night, one after the other, drawn from one seed.

weights × seed × k ─► drawing ─► `vtchaos run`, on the kept cluster or its own ─► record ─► runs.jsonl
"""
