"""The reference, from the code: `python -m ci.reference` writes docs/reference, `--check` says what is stale."""
