"""What an acknowledged no-op proves, and what a refused or lost one says, against scripted servers."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from attrs import evolve

from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.core.commands import CommitNoop
from memgraph_ha.core.facts import NoopSeen, Outcome, RoleSeen
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import RowName, RunId
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.record import Standby
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from tests.adapters import memgraph_rig as rig
from tests.adapters import memgraph_script as play
from tests.adapters.memgraph_pair import (
    COMMIT_ONLY,
    DONE,
    NO_ROWS,
    NOOP,
    PROVE_B,
    B,
    hanging,
    main_script,
    one_by_one,
    rows,
    sent,
    two,
)

pytestmark = pytest.mark.trio


async def proof(
    before: play.Table, after: play.Table, *, standby: play.Script | None = None, main: play.Script | None = None
) -> NoopSeen:
    """What an acknowledged no-op proves, given MAIN's rows before and after."""
    script = main or main_script()
    script.answers[NOOP] = DONE
    script.answers["SHOW REPLICAS"] = one_by_one(before, after)
    async with two(script, standby) as execute:
        ended, sink = await execute(PROVE_B)
        assert ended.outcome is Outcome.DONE
        [noop] = sink.of(NoopSeen)
        assert (noop.outcome, noop.run, noop.generation, noop.error) == (Outcome.DONE, "run-1", 7, None)
        return noop


WITNESS = Standby(instance=B, run=RunId("run-b"), row=RowName("b_1"))


async def test_a_lone_commit_covers_the_row_after_it() -> None:
    """One auto-commit write moves the row by two: nobody else wrote between the looks (semantics 1)."""
    noop = await proof(rows("ready", ts=10), rows("ready", ts=12))
    assert (noop.witness, noop.row_ts) == (WITNESS, 12)


@pytest.mark.parametrize("after", [13, 14, 40])
async def test_a_commit_among_others_covers_the_row_before_it(after: int) -> None:
    """A write after ours may have lost its Finalize: never claim it (transcripts Q18)."""
    noop = await proof(rows("ready", ts=10), rows("replicating", ts=after))
    assert (noop.witness, noop.row_ts) == (WITNESS, 10)


def speaking(**change: str) -> play.Script:
    """A standby that says something else."""
    script = play.Script(play.healthy(change.get("role", "replica")), run_id="run-b")
    script.answers["SHOW STORAGE INFO"] = play.storage_table(
        uuid=change.get("uuid", play.UUID), mode=change.get("mode", "IN_MEMORY_TRANSACTIONAL")
    )
    script.answers["SHOW CONFIG"] = play.config_table(wal=change.get("wal", "true"))
    return script


def main_speaking(**change: str) -> play.Script:
    """A MAIN that says something else of itself."""
    script = main_script()
    script.answers["SHOW STORAGE INFO"] = play.storage_table(mode=change.get("mode", "IN_MEMORY_TRANSACTIONAL"))
    script.answers["SHOW CONFIG"] = play.config_table(wal=change.get("wal", "true"))
    return script


@pytest.mark.parametrize(
    ("before", "after", "standby", "main"),
    [
        (NO_ROWS, NO_ROWS, None, None),
        (rows("invalid"), rows(), None, None),
        (rows(), rows("recovery"), None, None),
        (rows(None), rows(None), None, None),
        (rows(mode="async"), rows(mode="async"), None, None),
        (rows(address="127.0.0.1:9"), rows(address="127.0.0.1:9"), None, None),
        (rows(), rows(), speaking(role="main"), None),
        (rows(), rows(), speaking(uuid="another"), None),
        (rows(), rows(), speaking(mode="IN_MEMORY_ANALYTICAL"), None),
        (rows(), rows(), speaking(wal="false"), None),
        (rows(), rows(), None, main_speaking(mode="IN_MEMORY_ANALYTICAL")),
        (rows(), rows(), None, main_speaking(wal="false")),
    ],
    ids=[
        "no row", "invalid before", "recovery after", "half row", "async", "another address", "standby is main",
        "another data set", "standby analytical", "standby without WAL", "main analytical", "main without WAL",
    ],
)  # fmt: skip
async def test_an_acknowledged_commit_proves_nothing_of_a_standby_that_was_not_counted(
    before: play.Table, after: play.Table, standby: play.Script | None, main: play.Script | None
) -> None:
    """The commit counts, the witness does not; the detail says why."""
    noop = await proof(before, after, standby=standby, main=main)
    assert (noop.witness, noop.row_ts) == (None, None)
    assert noop.detail


async def test_a_standby_that_restarted_meanwhile_is_no_witness() -> None:
    """The same process before and after, or nothing is proven (transcripts Q17)."""
    standby, script = play.Script(play.healthy(), run_id="run-b"), main_script()

    async def commit() -> play.Table:
        standby.run_id = "run-c"
        standby.cut()
        await trio.lowlevel.checkpoint()
        return DONE

    script.answers[NOOP] = commit
    async with two(script, standby) as execute:
        ended, sink = await execute(PROVE_B)
        assert ended.outcome is Outcome.DONE
        [noop] = sink.of(NoopSeen)
        assert noop.witness is None
        assert "run-b" in noop.detail
        assert "run-c" in noop.detail


async def test_a_standby_that_falls_silent_after_the_commit_is_no_witness() -> None:
    """What was acknowledged stays acknowledged."""
    standby, script = play.Script(play.healthy(), run_id="run-b"), main_script()

    async def commit() -> play.Table:
        standby.answers["SHOW REPLICATION ROLE"] = hanging(trio.Event())
        await trio.lowlevel.checkpoint()
        return DONE

    script.answers[NOOP] = commit
    async with two(script, standby) as execute:
        ended, sink = await execute(PROVE_B)
        assert ended.outcome is Outcome.DONE
        assert sink.of(NoopSeen)[0].witness is None
        assert "b" in sink.of(NoopSeen)[0].detail


async def test_main_that_dies_after_the_acknowledgement_has_committed() -> None:
    """DONE is certain; only the witness is missing."""
    script = main_script()

    async def commit() -> play.Table:
        script.answers["SHOW REPLICAS"] = _dying(script)
        await trio.lowlevel.checkpoint()
        return DONE

    script.answers[NOOP] = commit
    async with two(script) as execute:
        ended, sink = await execute(PROVE_B)
        assert ended.outcome is Outcome.DONE
        assert sink.of(NoopSeen)[0].witness is None


def _dying(script: play.Script) -> Callable[[], Awaitable[play.Table]]:
    async def answer() -> play.Table:
        script.death.set()
        await trio.sleep_forever()
        raise AssertionError

    return answer


async def test_a_silent_standby_stops_the_proof_before_it_stalls_main() -> None:
    """A frozen standby would stall MAIN's commits and reads for 30 s (transcripts Q4)."""
    standby, script = play.Script(play.healthy(), run_id="run-b"), main_script(noop=DONE)
    standby.answers["SHOW REPLICATION ROLE"] = hanging(trio.Event())
    async with two(script, standby) as execute:
        ended, sink = await execute(PROVE_B)
        assert ended.outcome is Outcome.NOT_SENT
        assert sent(script) == []
        assert sink.of(NoopSeen)[0].outcome is Outcome.NOT_SENT


ABORTED = "At least one STRICT_SYNC replica has not confirmed committing last transaction."


@pytest.mark.parametrize(
    ("text", "outcome", "error"),
    [
        (ABORTED, Outcome.REFUSED, ErrorClass.ABORTED),
        ("Write queries are forbidden on the replica instance.", Outcome.NOT_SENT, ErrorClass.NOT_MAIN),
        ("Cannot commit because instance is not main anymore.", Outcome.NOT_SENT, ErrorClass.NOT_MAIN),
        (
            "At least one SYNC replica has not confirmed committing last transaction.",
            Outcome.UNKNOWN,
            ErrorClass.COMMITTED_LOCALLY,
        ),
        ("Cannot resolve conflicting transactions.", Outcome.UNKNOWN, ErrorClass.CONFLICT),
        ("Couldn't write the transaction: No space left on device", Outcome.UNKNOWN, ErrorClass.DISK),
        ("something else", Outcome.UNKNOWN, ErrorClass.OTHER),
    ],
)
async def test_a_refused_commit(text: str, outcome: Outcome, error: ErrorClass) -> None:
    """Only the abort of STRICT_SYNC is a refusal; what another error leaves behind is not known."""
    script = main_script(noop=MemgraphError.client(text))
    async with two(script) as execute:
        ended, sink = await execute(PROVE_B)
        assert (ended.outcome, ended.detail) == (outcome, text)
        [noop] = sink.of(NoopSeen)
        assert (noop.outcome, noop.error, noop.witness) == (outcome, error, None)


@pytest.mark.parametrize("command", [evolve(PROVE_B, run=RunId("run-0")), PROVE_B], ids=["another run", "a replica"])
async def test_no_commit_is_sent_to_another_run_or_to_a_replica(command: CommitNoop) -> None:
    """`REFUSED` would say that STRICT_SYNC aborted it: it was not sent."""
    script = main_script("main" if command.run == "run-0" else "replica", noop=DONE)
    async with two(script) as execute:
        assert (await execute(command))[0].outcome is Outcome.NOT_SENT
        assert sent(script) == []


async def test_probes_go_on_during_a_commit() -> None:
    """A stalled no-op is no role command: MAIN's silence would be evidence."""
    script, begun = main_script(), trio.Event()
    script.answers[NOOP] = hanging(begun)
    async with play.playing(script) as port, trio.open_nursery() as nursery:
        database = MemgraphDatabase(Policy(command_deadline_s=1.0), auth=None, clock=rig.boottime_s)
        database.follow((rig.member("a", port),))
        sink = rig.Sink()
        nursery.start_soon(database.watch, sink)
        nursery.start_soon(database.execute, COMMIT_ONLY, sink)
        await begun.wait()
        await sink.next(RoleSeen, "a", after=len(sink.facts))
        nursery.cancel_scope.cancel()
