"""A short soak: `memgraph-ha soak` itself, with real processes, in name spaces of its own where they can be had."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.soak.plan import Blow, Kind, Whom
from memgraph_ha.drill.soak.recovery import Help, NotWholeError, help_out, until_whole
from memgraph_ha.drill.soak.rig import Rig
from memgraph_ha.drill.soak.strikes import Moment, strike
from memgraph_ha.local.options import find_binary
from tests.e2e.cluster import M2

COMMAND = [sys.executable, "-P", "-m", "memgraph_ha.drill.soak"]
FAULTS = 12

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.matrix
def test_a_short_soak_loses_nothing(tmp_path: Path) -> None:
    """Twelve faults by lot: every acknowledged write is everywhere once, and nothing is left, also no directory."""
    done = _run(tmp_path, "--faults", str(FAULTS), "--seed", "11", "--json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    found = json.loads(done.stdout)
    assert found["passed"] is True
    assert len(found["faults"]) == FAULTS
    assert found["ledger"]["acknowledged"] > FAULTS * 20
    assert found["ledger"]["lost"] == found["ledger"]["duplicated"] == 0
    assert set(found["ledger"]["rows"]) == {"memgraph-0", "memgraph-1", "memgraph-2"}
    assert all(fault["pause_s"] is not None for fault in found["faults"])
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_soak_leaves_nothing(tmp_path: Path) -> None:
    """SIGINT while faults are done: everything is stopped in order, and the exit code names the signal."""
    with subprocess.Popen(
        [*COMMAND, "--no-isolation", "--seed", "5"], env=_environment(tmp_path), stdout=subprocess.PIPE, text=True
    ) as soak:
        assert soak.stdout is not None
        assert any("fault 1/" in line for line in soak.stdout)  # however long a busy machine takes until then
        soak.send_signal(signal.SIGINT)
        rest = soak.stdout.read()
        assert soak.wait() == 128 + signal.SIGINT
    assert "Interrupted; everything was stopped" in rest
    assert "had to be killed" not in rest
    assert list(tmp_path.iterdir()) == []


@pytest.mark.trio
async def test_a_cluster_that_waits_for_a_human_is_helped(tmp_path: Path) -> None:
    """Paused it is resumed; with MAIN's data gone and the standby unproven a loss is accepted: as the holds say."""
    rig = Rig(root=tmp_path, binary=find_binary(None), isolated=False)
    try:
        await rig.start()
        await until_whole(rig, within_s=60)
        (rig.spec(M2).place / "run.json").unlink()  # as a full disk leaves it
        with rig.held(M2) as handles:
            assert not handles[0].ended
        await _hold_a_wrapper_and_its_child(rig)
        await until_whole(rig, within_s=60)
        assert await rig.ask("pause") is None
        assert await _helped(rig, within_s=2) == Help(hold="Paused", did="resume", lossy=False)

        roles = await rig.roles()
        with rig.kept_down(roles.main), rig.kept_down(roles.standby):
            moment = Moment()
            await strike(rig, Blow(kind=Kind.KILL_PAIR, whom=Whom.MAIN), moment)
            shutil.rmtree(rig.spec(roles.main).data)
        assert await _helped(rig, within_s=15) == Help(
            hold="NoSafeCandidate", did=f"failover {roles.standby}", lossy=True
        )
    finally:
        with trio.CancelScope(shield=True):
            left = await rig.stop()
    assert left == ()


async def _hold_a_wrapper_and_its_child(rig: Rig) -> None:
    """An instance that is kept down is a shell and its ``sleep``: both are held, and let go of alive."""
    with rig.kept_down(M2):
        await strike(rig, Blow(kind=Kind.KILL, whom=Whom.ASYNC), Moment())
        with trio.fail_after(20):
            while True:
                with contextlib.suppress(DrillError), rig.held(M2) as handles:
                    if len(handles) > 1:
                        break
                await trio.sleep(0.005)


async def _helped(rig: Rig, *, within_s: float) -> Help:
    """Wait in vain for the cluster to become whole, help it, and see that it does."""
    with pytest.raises(NotWholeError) as caught:
        await until_whole(rig, within_s=within_s)
    given = await help_out(rig, caught.value)
    await until_whole(rig, within_s=60)
    return given


def _run(scratch: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments], env=_environment(scratch), capture_output=True, text=True, check=False, timeout=390
    )


def _environment(scratch: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(scratch)}
