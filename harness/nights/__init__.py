"""What a soak's night says against the nights before it: what is new, and what only goes on.

soak.json, runs.jsonl ─► night (what is kept of it) ─► standings, trends ─► report ─► text, markdown, junit, page
"""
