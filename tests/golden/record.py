"""Make a golden run of a run directory: `python -m tests.golden.record RUN_DIR NAME`.

Packs what a verdict is made of (no logs, no reports) into NAME.tar.zst, always to the same bytes, and writes
the verdict of today's checks to NAME.verdict.json. Read that before committing it: it is what is expected
from then on. With only a NAME, the verdict of an existing golden run is written anew.
"""

from __future__ import annotations

import io
import sys
import tarfile
import tempfile
from pathlib import Path

import zstandard

from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.checks.judge import judge
from harness.history import load

FOLDER = Path(__file__).parent
PARTS = ("*.json", "*.jsonl", "*.bin")
LEFT_OUT = ("verdict.json", "*-worker-*.json", "*-live.bin")  # made later; of the machine that ran it
MANY_BYTES = 2 * 2**20  # a repository is for small ones


def pack(run: Path) -> bytes:
    """The run directory as a compressed archive without times and owners."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted({path for part in PARTS for path in run.glob(part)}):
            if any(path.match(pattern) for pattern in LEFT_OUT):
                continue
            entry = tarfile.TarInfo(path.name)
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(entry, content)
    return zstandard.ZstdCompressor(level=19).compress(out.getvalue())


def unpack(packed: Path, folder: Path) -> RunDir:
    """A golden run as a run directory."""
    plain = zstandard.ZstdDecompressor().decompress(packed.read_bytes(), max_output_size=2**30)
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        archive.extractall(folder, filter="data")
    return RunDir.open(folder)


def expected(run: RunDir) -> bytes:
    return jsonio.dumps(judge(load(run)))


def main(argv: list[str]) -> int:
    if len(argv) not in (1, 2):
        print(__doc__)
        return 2
    name = argv[-1]
    packed = FOLDER / f"{name}.tar.zst"
    if len(argv) == 2:
        packed.write_bytes(pack(Path(argv[0])))
    with tempfile.TemporaryDirectory() as folder:
        verdict = expected(unpack(packed, Path(folder)))
    (FOLDER / f"{name}.verdict.json").write_bytes(verdict)
    size = packed.stat().st_size
    print(f"{packed.name}: {size / 1024:.0f} KiB" + (" (large for a repository)" if size > MANY_BYTES else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
