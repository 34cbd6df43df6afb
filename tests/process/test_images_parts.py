"""Programs, their libraries and the interpreter of an image, as the machine's own tools tell them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from clusters.images import binding, python_image, tree
from clusters.software import elf
from tests.unit.test_images_parts import OWN


def said(*argv: str | Path) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


async def test_a_program_takes_its_loader_and_libraries_along(tmp_path: Path) -> None:
    source = Path(shutil.which("true") or "").resolve()
    entries = await binding.bound([tree.copied("vt/bin/true", source)], OWN, tmp_path)
    by_path = {entry.path: entry.source for entry in entries}
    loader = next(path for path in by_path if path.startswith("vt/lib/true/ld-"))
    assert "vt/lib/true/libc.so.6" in by_path
    copy = by_path["vt/bin/true"]
    assert copy is not None
    assert said(elf.patchelf(), "--print-interpreter", copy) == f"/{loader}"
    assert said(elf.patchelf(), "--print-rpath", copy) == str(OWN)
    assert said(source, "--version").startswith("true")  # the machine's own is as it was


async def test_a_static_program_stays_as_it_is(tmp_path: Path) -> None:
    """Vitess's own are such. A minimal ELF file without an interpreter stands for them."""
    static = tmp_path / "vtgate"
    copy = tmp_path / "with"
    shutil.copyfile(Path(shutil.which("true") or "").resolve(), copy)
    shutil.copyfile(copy, static)
    data = bytearray(static.read_bytes())
    data[data.find(b".interp")] = ord("_")  # no section of that name
    static.write_bytes(data)
    entry = tree.copied("vt/bin/vtgate", static, mode=0o755)
    assert await binding.bound([entry], OWN, tmp_path) == [entry]


def test_the_load_image_has_the_packages_that_its_workers_import() -> None:
    """What a worker's imports bring is in the image's list, or is Python's own, or ours."""
    script = (
        "import sys, importlib.metadata as m\n"
        "import harness.load.worker\n"
        "where = m.packages_distributions()\n"
        "print(*sorted({n for x in list(sys.modules) for n in where.get(x.split('.')[0], [])}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    wanted = {name.replace("_", "-") for name in done.stdout.split()} - {"vitess-chaos", "setuptools"}
    assert wanted <= set(python_image.PACKAGES)
