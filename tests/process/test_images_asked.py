"""The questions to an image, asked by a real shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

from clusters.images import asked


def test_the_questions_are_asked_by_a_real_shell_and_their_answers_understood(tmp_path: Path) -> None:
    """Also where nothing of what is asked for is there: no question may end the others."""
    vtgate = tmp_path / "vtgate"
    vtgate.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo 'vtgate version Version: 24.0.3 (x)' || echo '      --port int  x'\n"
    )
    vtgate.chmod(0o755)
    script = asked.script(("vtgate", "vttablet"))
    done = subprocess.run(
        ["/bin/sh", "-c", script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    found = asked.read(done.stdout, ("vtgate", "vttablet"), "here")
    assert set(found.binaries) == {"vtgate"}
    assert found.binaries["vtgate"].path == vtgate
    assert found.binaries["vtgate"].flags == {"port"}
