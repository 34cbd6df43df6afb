"""What a run found, under a name that is the same in every run that finds it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.many.records import RunRecord
from harness.model import Verdict


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One red check of one experiment, for one vtgate or the whole cluster."""

    experiment: str
    check: str
    vtgate: str = ""  # as in RunRecord.vtgates: its release; "" = the whole cluster
    about: str = ""  # what is red, in words that do not change from run to run: its summary without numbers and names

    @property
    def name(self) -> str:
        return " ".join(word for word in (self.experiment, self.check, self.vtgate, self.about) if word)


def findings(run: RunRecord) -> tuple[Finding, ...]:
    """Of a run that is a finding; nothing of one that proves nothing, nor a known bug where it was expected."""
    if run.verdict is not Verdict.FAIL:
        return ()
    red = (said for said in run.results if said.verdict is Verdict.FAIL)
    return tuple(
        sorted(
            {
                Finding(
                    experiment=run.experiment,
                    check=said.check,
                    vtgate=run.vtgates.get(said.subject, said.subject),
                    about=said.about,
                )
                for said in red
            }
        )
    )
