"""Processes are named so that no stranger is ever taken for them, and ended so that nothing is left."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import trio
import trio.testing
from attrs import evolve

from memgraph_ha.adapters.json_fields import FieldError, Fields
from memgraph_ha.adapters.process_events import describe_exit
from memgraph_ha.adapters.process_os import (
    ProcessHandle,
    ProcessIdentity,
    alive,
    command_line,
    find_by_argument,
    identify,
    own_identity,
    read_identity,
    seen_from_here,
)
from memgraph_ha.adapters.process_stop import end_processes


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process that does nothing, in a session of its own."""
    with subprocess.Popen(["/bin/sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def identity_of(process: "subprocess.Popen[bytes]") -> ProcessIdentity:
    """Name a living process."""
    found = identify(process.pid)
    assert found is not None
    return found


def test_an_identity_survives_json() -> None:
    """What is written down names the same process when it is read."""
    mine = own_identity()
    assert read_identity(Fields(mine.to_json(), "here")) == mine
    assert mine.pid == os.getpid()


@pytest.mark.parametrize(
    ("field", "value"), [("pid", 0), ("pid", True), ("pid", "1"), ("start", -1), ("boot", ""), ("namespace", None)]
)
def test_an_identity_is_read_strictly(field: str, value: object) -> None:
    """A field that cannot be is named with its value."""
    with pytest.raises(FieldError, match=f"here: field {field}: {value!r} is not"):
        read_identity(Fields({**own_identity().to_json(), field: value}, "here"))


@pytest.mark.parametrize(
    "other",
    [
        evolve(own_identity(), start=1),
        evolve(own_identity(), boot="another"),
        evolve(own_identity(), namespace="pid:[1]"),
    ],
)
def test_only_the_very_process_is_alive(other: ProcessIdentity) -> None:
    """Another start time, boot or name space is somebody else under the same pid."""
    assert alive(own_identity())
    assert not alive(other)


def test_what_cannot_be_seen_from_here() -> None:
    """Absence proves death only within the same boot and name space."""
    assert seen_from_here(evolve(own_identity(), pid=1, start=1))
    assert not seen_from_here(evolve(own_identity(), boot="another"))
    assert not seen_from_here(evolve(own_identity(), namespace="another"))


def test_a_zombie_has_ended(sleeper: "subprocess.Popen[bytes]") -> None:
    """A process that was killed is no longer alive even while nobody waited for it."""
    identity = identity_of(sleeper)
    handle = ProcessHandle.open(identity)
    assert handle is not None
    sleeper.send_signal(signal.SIGKILL)
    assert handle.ended_within(5)
    handle.close()
    assert identify(sleeper.pid) == identity
    assert not alive(identity)
    assert ProcessHandle.open(identity) is None
    sleeper.wait()
    assert identify(sleeper.pid) is None


def test_a_frozen_process_is_alive(sleeper: "subprocess.Popen[bytes]") -> None:
    """A stopped process has not ended."""
    sleeper.send_signal(signal.SIGSTOP)
    assert alive(identity_of(sleeper))


def test_a_signal_after_the_end_reaches_nobody(sleeper: "subprocess.Popen[bytes]") -> None:
    """A handle whose process is gone and waited for sends nothing anywhere."""
    handle = ProcessHandle.open(identity_of(sleeper))
    assert handle is not None
    sleeper.kill()
    sleeper.wait()
    handle.send(signal.SIGKILL)
    handle.close()


@pytest.mark.trio
async def test_many_may_wait_for_one_end(sleeper: "subprocess.Popen[bytes]") -> None:
    """Several tasks wait for the same process, and none of them keeps a descriptor."""
    handle = ProcessHandle.open(identity_of(sleeper))
    assert handle is not None
    before = psutil.Process().num_fds()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(handle.wait_ended)
            await trio.testing.wait_all_tasks_blocked()
            sleeper.kill()
    assert psutil.Process().num_fds() == before
    handle.close()


@pytest.mark.trio
async def test_the_end_of_one_wakes_nobody_who_waits_for_another(sleeper: "subprocess.Popen[bytes]") -> None:
    """A wait that was given up leaves nothing behind that could end a later wait for somebody else."""
    handle = ProcessHandle.open(identity_of(sleeper))
    mine = ProcessHandle.open(own_identity())
    assert handle is not None
    assert mine is not None
    with trio.move_on_after(0.05):
        await handle.wait_ended()
    with trio.move_on_after(0.3) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mine.wait_ended)
            await trio.testing.wait_all_tasks_blocked()
            sleeper.kill()
            sleeper.wait()
    handle.close()
    mine.close()
    assert scope.cancelled_caught


def test_a_process_is_found_by_its_argument(tmp_path: Path) -> None:
    """The very argument finds it; a part of it, or the program's name, does not."""
    argument = f"--data-directory={tmp_path}/a b"
    with subprocess.Popen(["/bin/sh", "-c", "read x", argument], stdin=subprocess.PIPE) as one:
        while not command_line(one.pid):  # for a moment after exec it shows none
            time.sleep(0.001)
        assert [each.pid for each in find_by_argument(argument)] == [one.pid]
        assert find_by_argument(argument[:-1]) == ()
        assert command_line(one.pid)[0] == "/bin/sh"
        assert one.pid not in {each.pid for each in find_by_argument("/bin/sh")}


_FAMILY = """
import subprocess, sys
child = subprocess.Popen(["/bin/sleep", "60"])
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def family() -> Iterator[tuple[ProcessIdentity, ProcessIdentity]]:
    """Run a session's leader and a process that it started."""
    with subprocess.Popen(
        [sys.executable, "-c", _FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as leader:
        assert leader.stdout is not None
        child = identify(int(leader.stdout.readline()))
        assert child is not None
        yield identity_of(leader), child
        for pid in (child.pid, leader.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.trio
async def test_what_a_leader_started_is_ended_with_it(family: tuple[ProcessIdentity, ProcessIdentity]) -> None:
    """Ending the leader of a session ends its whole session."""
    leader, child = family
    await end_processes([leader], grace_s=1)
    assert (alive(leader), alive(child)) == (False, False)


@pytest.mark.trio
async def test_somebody_elses_session_is_not_touched(family: tuple[ProcessIdentity, ProcessIdentity]) -> None:
    """Ending a process that leads no session leaves the session that it lives in, which may be a user's shell."""
    leader, child = family
    await end_processes([child], grace_s=1)
    assert (alive(leader), alive(child)) == (True, False)


@pytest.mark.parametrize(
    ("code", "said"), [(3, "exit status 3"), (-9, "killed by SIGKILL"), (-63, "killed by signal 63")]
)
def test_how_a_process_ended(code: int, said: str) -> None:
    """Exit statuses and signals are told in words."""
    assert describe_exit(code) == said
