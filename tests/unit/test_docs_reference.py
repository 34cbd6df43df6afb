"""Goal: the reference is what the code says; no link leads nowhere; every file of a run is listed."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci.reference.__main__ import DOCS, filled, stale
from ci.reference.markdown import anchor
from ci.reference.rundirs import ROWS
from tests.golden.record import FOLDER, unpack

LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")
PAGES = sorted([*DOCS.rglob("*.md"), DOCS.parent / "README.md"])
PLACEHOLDERS = re.compile(r"\b(W|N|S|KEYSPACE|TABLE|SHARD)\b")


def test_no_page_is_stale() -> None:
    assert not stale(), "write them with `.venv/bin/python -m ci.reference`"


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="has no place for capabilities"):
        filled("# What runs where")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(_broken(page)) == []


def test_every_file_of_a_recorded_run_is_listed(tmp_path: Path) -> None:
    words = " ".join(f"{name} {text}" for name, text in ROWS).split()
    patterns = [PLACEHOLDERS.sub("*", word.strip(",;:")) for word in words]
    for recorded in sorted(FOLDER.glob("*.tar.zst")):
        files = [path.name for path in unpack(recorded, tmp_path / recorded.name).path.iterdir() if path.is_file()]
        unlisted = [name for name in files if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
        assert unlisted == [], recorded.name


def _broken(page: Path) -> Iterator[str]:
    for link in LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (heading and heading not in _anchors(target)):
            yield link


def _prose(page: Path) -> str:
    """Without what is code."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^    .*$", "", text, flags=re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    return {anchor(heading.replace("`", "")) for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)}
