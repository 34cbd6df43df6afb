"""Goal: the table of faults in the documentation is that of the catalogue."""

from __future__ import annotations

from pathlib import Path

from harness.faults import catalogue

DOC = Path(__file__).parents[2] / "docs" / "faults.md"


def test_the_table_is_the_catalogues() -> None:
    written = DOC.read_text().partition("<!-- faults -->\n")[2].partition("\n<!-- /faults -->")[0]
    wanted = catalogue.markdown(catalogue.FAULTS.values())
    assert written == wanted, "print it with `vtchaos fault list --markdown` and put it there"
