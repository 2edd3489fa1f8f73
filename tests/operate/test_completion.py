"""Shell completion: the scripts, and instance names asked of the cluster within half a second."""

import os
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from tests.free_port import free_port
from tests.operate.peers import listening
from tests.operate.server import Api
from tests.operate.terminal import ROOT, argv, environment, run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script(shell: str) -> None:
    """Each shell gets a script that calls the program back."""
    done = run(None, "completion", shell)
    assert done.code == 0
    assert "_MEMGRAPH_HA_COMPLETE" in done.out
    assert f"{shell}_complete" in done.out


def test_an_unknown_shell() -> None:
    """The known ones are named, exit code 2."""
    done = run(None, "completion", "csh")
    assert done.code == 2
    assert "'bash', 'zsh', 'fish'" in done.err


def complete(api: Api | None, line: str, server: str | None = None) -> list[str]:
    """Complete the last word of a line, as bash asks for it."""
    words = line.split(" ")
    more = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_MEMGRAPH_HA_COMPLETE": "bash_complete"}
    if server is not None:
        more["MEMGRAPH_HA_SERVER"] = server
    done = subprocess.run(
        argv(), cwd=ROOT, env=environment(api, **more), capture_output=True, timeout=30, check=False, text=True
    )
    assert done.stderr == ""
    return [word.partition(",")[2] for word in done.stdout.splitlines() if word]


def test_names_come_from_the_cluster(api: Api) -> None:
    """Arguments and ``--to`` complete to the names of instances, commands to commands."""
    everybody = ["memgraph-0", "memgraph-1", "memgraph-2"]
    assert complete(api, "memgraph-ha restart ") == everybody
    assert complete(api, "memgraph-ha switchover --to memgraph-1") == ["memgraph-1"]
    assert complete(None, f"memgraph-ha restart --server {api.url} ") == everybody
    assert complete(api, "memgraph-ha swi") == ["switchover"]


def test_bash_itself_completes(api: Api, tmp_path: Path) -> None:
    """The script, loaded by a real bash, offers the names."""
    program = tmp_path / "memgraph-ha"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(argv())} "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    ask = (
        "COMP_WORDS=(memgraph-ha restart memgraph-); COMP_CWORD=2\n"
        '_memgraph_ha_completion memgraph-ha; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["/bin/bash", "-c", f"{run(None, 'completion', 'bash').out}\n{ask}"],
        cwd=ROOT,
        env=environment(api, PATH=f"{tmp_path}:{os.environ['PATH']}"),
        capture_output=True,
        timeout=30,
        check=False,
        text=True,
    )
    assert done.stdout.split() == ["memgraph-0", "memgraph-1", "memgraph-2"], done.stderr


def test_a_cluster_that_hangs_or_is_gone_offers_nothing_soon(api: Api) -> None:
    """A shell is not kept waiting: half a second, then nothing, and no word on the terminal."""
    began_s = time.monotonic()
    assert complete(api, "memgraph-ha swi") == ["switchover"]
    usual_s = time.monotonic() - began_s
    assert complete(None, "memgraph-ha restart ", f"http://127.0.0.1:{free_port()}") == []
    with listening(None) as port:
        began_s = time.monotonic()
        assert complete(None, "memgraph-ha restart ", f"http://127.0.0.1:{port}") == []
        assert time.monotonic() - began_s < usual_s + 3
