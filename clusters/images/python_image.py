"""The image in which load processes run beside a cluster: Debian's Python, the packages that they need, and our code.

The Python is the image's own and not the harness's: Debian's packages are how everything of the images comes, and the
wheels of the same lock exist for it. The numbers that a worker writes do not depend on it.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

from clusters.common.images import ImageStore
from clusters.images import built, layers, parts, tree, wheels
from clusters.images.archive import Image
from clusters.images.layers import Recipe, Shown
from clusters.images.tree import Entry
from clusters.software import Progress, Sources
from clusters.software.base_root import base_root, python_root
from harness.base import procs
from harness.base.errors import PlanError, SoftwareError
from harness.contracts import Observer

REPOSITORY = "vtchaos/load"
# What harness.load's workers and stations import; tests/cluster/test_images.py imports them in a container.
PACKAGES = ("attrs", "cattrs", "numpy", "orjson", "typing-extensions", "uvloop")
OURS = ("harness", "clusters", "experiments")
HOME = Path("/opt/vtchaos")
CODE, SITE = HOME / "code", HOME / "site"
COMPILE_TIMEOUT_S = 300.0
_PARTS_OF_CODE = {".py", ".sql", ".json", ".sh", ".yaml"}
_UNUSED = {"tests", "_pyinstaller"}


async def load_image(*, store: ImageStore, observer: Observer) -> str:
    """The reference of the image, which is in the store on return. Raises PlanError, SoftwareError, ClusterError."""
    if reason := built.why_not():
        raise PlanError(f"the load cannot run in containers: {reason}")
    sources = Sources.of_environment()
    image = await packed(sources, Shown(observer))
    await built.load([image], store, observer=observer, sources=sources)
    return image.reference


async def packed(sources: Sources, progress: Progress) -> Image:
    """The image, its layers packed now where they are not."""
    base = await base_root(sources=sources, progress=progress)
    python = await python_root(sources=sources, progress=progress)
    program = interpreter(python)
    recipes = (parts.base(base), parts.python(python, base), _packages(python, program, progress), _code())
    kept = layers.kept_at(sources)
    return Image(
        repository=REPOSITORY,
        version=program.name,
        layers=tuple([await layers.ready(recipe, kept, progress) for recipe in recipes]),
        labels={built.LABEL: built.LOAD},
        path="/usr/sbin:/usr/bin:/sbin:/bin",
        environment={"PYTHONPATH": f"{CODE}:{SITE}", "PYTHONDONTWRITEBYTECODE": "1"},
    )


def interpreter(root: Path) -> Path:
    """usr/bin/python3.N, to which python3 leads."""
    found = (root / "usr/bin/python3").resolve()
    if not found.name.startswith("python3.") or not found.is_file():
        raise SoftwareError(f"{root}/usr/bin/python3 is not a link to a python3.N")
    return found


def _packages(root: Path, program: Path, progress: Progress) -> Recipe:
    lock = wheels.locked()
    text = wheels.requirements(PACKAGES, program.name.removeprefix("python"), lock)
    key = tree.text("requirements", text)

    async def entries(work: Path) -> Iterable[Entry]:
        file, target = work / "requirements.txt", work / "site"
        file.write_text(text)
        python = program.name.removeprefix("python")
        await wheels.install(file, target, python=python, hashed=lock is not None, progress=progress)
        _prune(target)
        progress.step("compiling Python packages")
        await _compile(root, program, target)
        return tree.tree(parts.inside(SITE), target)

    return Recipe(name=f"load-packages-{program.name}", sources=(key,), entries=entries)


def _prune(target: Path) -> None:
    """Tests of packages, and what pip writes beside them with paths of this machine in it."""
    for path in sorted(target.rglob("*"), reverse=True):
        if (path.is_dir() and path.name in _UNUSED) or (path.is_file() and path.name in ("RECORD", "direct_url.json")):
            layers.remove(path)
    layers.remove(target / "bin")


async def _compile(root: Path, program: Path, target: Path) -> None:
    """Bytecode by the image's own interpreter, run here by its own loader: a pod starts a second sooner with it.

    Not checked against the sources' times, which are all the same in an image; and the same bytes every time.
    """
    loaders = (*root.glob("usr/lib64/ld-linux*"), *root.glob("usr/lib/ld-linux*"))  # the former on amd64
    libraries = next(iter(root.glob("usr/lib/*/libc.so.6")), None)
    if not loaders or libraries is None:
        raise SoftwareError(f"{root} has no loader and no libc for its Python")
    argv: list[str | Path] = [loaders[0], "--library-path", libraries.parent, program, "-m", "compileall", "-q"]
    argv += ["--invalidation-mode", "unchecked-hash", "-s", target, "-p", SITE, target]
    env = {"PYTHONHOME": str(root / "usr"), "PYTHONPATH": "", "PYTHONHASHSEED": "0", "LD_LIBRARY_PATH": ""}
    await procs.run(argv, timeout_s=COMPILE_TIMEOUT_S, env=env)


def _code() -> Recipe:
    """Our packages as they are now. The key goes by content: a checkout's times say nothing."""
    rows = list(code())
    digest = hashlib.sha256()
    for entry in rows:
        digest.update(entry.path.encode() + b"\0" + entry.data + b"\0")
    key = tree.text("code", digest.hexdigest())

    async def entries(_: Path) -> Iterable[Entry]:
        return rows

    return Recipe(name="load-code", sources=(key,), entries=entries)


def code() -> Iterator[Entry]:
    """Every source file of our packages."""
    for package in OURS:
        spec = importlib.util.find_spec(package)  # without importing it: experiments stand above us
        assert spec is not None
        assert spec.origin is not None
        root = Path(spec.origin).parent
        for path in sorted(root.rglob("*")):
            if path.suffix in _PARTS_OF_CODE and path.is_file():
                place = CODE / package / path.relative_to(root)
                yield Entry(path=parts.inside(place), mode=0o644, data=path.read_bytes())
