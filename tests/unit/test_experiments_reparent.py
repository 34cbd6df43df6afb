"""The known bug of every storm: a race that need not show, and that excuses no other error."""

from __future__ import annotations

import dataclasses

from experiments.reparent import GIVES_UP
from harness.checks.judge import judge
from harness.model import Outcome, RunVerdict
from tests.fakes import calm

FOUND_NONE = "inconsistent state detected, primary is serving but initially found no available tablet"
NOT_SERVING = "target: ks.-80.primary: primary is not serving, there may be a reparent operation in progress"


def storm(*messages: str) -> RunVerdict:
    """A storm in which one request each got these errors."""
    builder = calm(checks=("clients/errors", "clients/stall"))
    builder.plan = dataclasses.replace(builder.plan, known_bugs=(GIVES_UP,))
    for number, message in enumerate(messages):
        builder.op(5.2 + number / 100, outcome=Outcome.FAIL, errno=1105, message=message)
    return judge(builder.build())


def test_a_request_that_is_given_up_too_early_is_the_known_bug() -> None:
    found = storm(FOUND_NONE)
    assert (found.exit_code, found.reproduced) == (0, (GIVES_UP.issue,))


def test_a_storm_without_it_passes() -> None:
    found = storm()
    assert (found.exit_code, found.reproduced) == (0, ())


def test_another_error_beside_it_is_a_finding() -> None:
    found = storm(FOUND_NONE, NOT_SERVING)
    assert (found.exit_code, found.reproduced) == (1, ())
