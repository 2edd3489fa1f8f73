"""Output that nobody takes: a reader that left, a closed descriptor, a full disk."""

import subprocess

from tests.operate.recorded import HELD
from tests.operate.server import Api, says
from tests.operate.terminal import ROOT, Ended, argv, environment, piped


def shell(api: Api, line: str) -> Ended:
    """Run a line of shell, where ``$M`` is the operator's command."""
    done = subprocess.run(
        ["/bin/bash", "-c", f"set -o pipefail; {line}"],
        cwd=ROOT,
        env=environment(api, M=" ".join(argv())),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=False,
        text=True,
    )
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def test_a_reader_that_leaves_early(api: Api) -> None:
    """``| head -1`` gets its line, nothing is complained about, and the exit code is that of the cluster."""
    done = shell(api, "$M status | head -1")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("cluster")
    done = shell(api, "$M status --json | true")
    assert (done.code, done.err) == (0, "")
    api.scripts["GET", "cluster"] = says(HELD)
    assert shell(api, "$M status | true").code == 1


def test_closed_descriptors(api: Api) -> None:
    """``>&-`` and ``2>&-`` end nothing; the exit code still tells."""
    assert shell(api, "$M status >&-") == Ended(code=0, out="", err="")
    assert shell(api, "$M status --data /none --server ftp://x 2>&-").code == 2
    assert shell(api, "$M status >&- 2>&- <&-").code == 0


def test_a_full_disk_is_said(api: Api) -> None:
    """A result that could not be written was not delivered: exit code 1, and why."""
    done = shell(api, "$M status --json > /dev/full")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "No space left on device" in done.err


def test_an_output_that_knows_only_ascii(api: Api) -> None:
    """Other characters become question marks instead of a traceback."""
    paused = {"by": "Zoë", "reason": "größer", "at": 0.0}
    api.scripts["GET", "cluster"] = says(HELD | {"paused": paused})
    done = piped(api, "status", PYTHONIOENCODING="ascii")
    assert done.code == 1
    assert "Zo?" in done.out
