"""What a run found, under a name that is the same in every run that finds it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.many.records import RunRecord
from harness.model import Verdict


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing that one check of one experiment found wrong, of one vtgate or the whole cluster."""

    experiment: str
    check: str
    vtgate: str = ""  # as in RunRecord.vtgates: its release; "" = the whole cluster
    symptom: str = ""  # which of the check's; "" = the check's name says it

    @property
    def name(self) -> str:
        return " ".join(word for word in (self.experiment, self.check, self.vtgate, self.symptom) if word)


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
                    symptom=symptom,
                )
                for said in red
                for symptom in said.symptoms or ("",)
            }
        )
    )
