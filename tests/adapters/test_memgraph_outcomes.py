"""How commands end, against scripted servers: what was sent, what was answered, and what may be concluded."""

import pytest
import trio
from attrs import evolve

from memgraph_ha.core.commands import CommitNoop, InstanceCommand
from memgraph_ha.core.facts import NoopSeen, Outcome, RoleSeen, RowsSeen
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import Address, RowName, RunId
from memgraph_ha.core.topology import Mode, Role, RowStatus
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from tests.adapters import memgraph_script as play
from tests.adapters.memgraph_pair import (
    COMMIT_ONLY,
    DEMOTE_A,
    DONE,
    DROP,
    DROP_B,
    NO_ROWS,
    NOOP,
    PROMOTE,
    PROMOTE_A,
    PROVE_B,
    REGISTER,
    REGISTER_B,
    busy,
    hanging,
    main_script,
    one_by_one,
    rows,
    sent,
    two,
)

pytestmark = pytest.mark.trio


async def test_promote_reads_role_and_rows_back() -> None:
    """Done is what the role read back says; both answers are reported."""
    script = main_script("replica")
    script.answers["SHOW REPLICATION ROLE"] = one_by_one(
        (("replication role",), [["replica"]]), (("replication role",), [["main"]])
    )
    script.answers[PROMOTE] = DONE
    async with two(script) as execute:
        ended, sink = await execute(PROMOTE_A)
        assert ended.outcome is Outcome.DONE
        assert [fact.role for fact in sink.of(RoleSeen)] == [Role.REPLICA, Role.MAIN]
        assert len(sink.of(RowsSeen)) == 1


async def test_promoting_what_is_main_already_sends_nothing() -> None:
    """Repeating it is an error for the server (design 5), so it is not repeated."""
    script = main_script("main")
    async with two(script) as execute:
        assert (await execute(PROMOTE_A))[0].outcome is Outcome.DONE
        assert sent(script) == []


async def test_a_promotion_that_says_failed_but_did_it_is_done() -> None:
    """The texts for already so, lock busy and failed are one: the role decides (semantics 2.2)."""
    script = main_script("replica")
    script.answers["SHOW REPLICATION ROLE"] = one_by_one(
        (("replication role",), [["replica"]]), (("replication role",), [["main"]])
    )
    script.answers[PROMOTE] = MemgraphError.client("Couldn't set replication role to main!")
    async with two(script) as execute:
        assert (await execute(PROMOTE_A))[0].outcome is Outcome.DONE


async def test_a_busy_role_change_is_tried_until_the_deadline() -> None:
    """Whatever the server says each time, it is certain in the end that nothing changed."""
    script = main_script("main")
    statement = "SET REPLICATION ROLE TO REPLICA WITH PORT 10000"
    script.answers[statement] = MemgraphError.client("Couldn't set role to replica!")
    async with two(script, deadline_s=0.6) as execute:
        ended, _ = await execute(DEMOTE_A)
        assert (ended.outcome, ended.error) == (Outcome.REFUSED, ErrorClass.READ_BACK)
        assert len(sent(script)) >= 4


async def test_an_answer_that_does_not_hold_is_refused() -> None:
    """A server that says yes and stays what it was has not done it."""
    script = main_script("replica", promote=DONE)
    async with two(script) as execute:
        assert (await execute(PROMOTE_A))[0].outcome is Outcome.REFUSED


@pytest.mark.parametrize("command", [PROMOTE_A, DEMOTE_A, REGISTER_B, DROP_B])
async def test_another_run_is_refused_and_nothing_is_sent(command: InstanceCommand) -> None:
    """The guard travels on the connection of the command."""
    script = main_script("main")
    async with two(script) as execute:
        ended, _ = await execute(evolve(command, run=RunId("run-0")))
        assert ended.outcome is Outcome.REFUSED
        assert "run-0" in ended.detail
        assert "run-1" in ended.detail
        assert sent(script) == []


@pytest.mark.parametrize("command", [REGISTER_B, DROP_B])
async def test_registration_on_a_replica_is_refused_and_nothing_is_sent(command: InstanceCommand) -> None:
    """Only MAIN has rows."""
    script = main_script("replica")
    async with two(script) as execute:
        assert (await execute(command))[0].outcome is Outcome.REFUSED
        assert sent(script) == []


async def test_register_is_tried_again_while_the_lock_is_busy() -> None:
    """``Error: 6`` leaves nothing behind: retry at once, no DROP (transcripts Q9)."""
    script = main_script(register=one_by_one(busy(), busy(), DONE))
    async with two(script) as execute:
        ended, sink = await execute(REGISTER_B)
        assert ended.outcome is Outcome.DONE
        assert sent(script) == [REGISTER] * 3
        assert sink.of(RowsSeen)


async def test_register_that_stays_busy_is_refused_as_busy() -> None:
    """At the deadline the last answer was certain: no try begins that could not be answered."""

    async def slowly() -> play.Table:
        await trio.sleep(0.12)
        raise busy()

    script = main_script(register=slowly)
    async with two(script, deadline_s=0.6) as execute:
        ended, _ = await execute(REGISTER_B)
        assert (ended.outcome, ended.error) == (Outcome.REFUSED, ErrorClass.BUSY)


@pytest.mark.parametrize(
    ("number", "meaning"),
    [(1, ErrorClass.NAME_EXISTS), (3, ErrorClass.DIVERGED), (5, ErrorClass.NOT_ACCEPTING)],
)
async def test_register_that_fails_is_refused_once_and_rows_are_read_back(number: int, meaning: ErrorClass) -> None:
    """A half row may stay (transcripts Summary): the rows are reported before the command ends."""
    text = f"Couldn't register replica b_1. Error: {number}"
    script = main_script(register=MemgraphError.client(text))
    script.answers["SHOW REPLICAS"] = rows(None)
    async with two(script) as execute:
        ended, sink = await execute(REGISTER_B)
        assert (ended.outcome, ended.error, ended.detail) == (Outcome.REFUSED, meaning, text)
        assert sent(script) == [REGISTER]
        assert sink.of(RowsSeen)[-1].rows[0].status is RowStatus.HALF


async def test_register_without_a_row_afterwards_is_unknown() -> None:
    """An answer and a reading that contradict each other prove nothing."""
    script = main_script(register=DONE)
    script.answers["SHOW REPLICAS"] = NO_ROWS
    async with two(script) as execute:
        assert (await execute(REGISTER_B))[0].outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"run_id": "run-c"}, "run-c"),
        ({"role": "main"}, "role main"),
        ({"uuid": "another"}, "another"),
    ],
)
async def test_register_is_refused_by_what_the_replica_says(change: dict[str, str], says: str) -> None:
    """Before REGISTER, over the very address: run, role, data set."""
    script = main_script(register=DONE)
    replica = play.Script(play.healthy(change.get("role", "replica")), run_id=change.get("run_id", "run-b"))
    replica.answers["SHOW STORAGE INFO"] = play.storage_table(uuid=change.get("uuid", play.UUID), vertices=1)
    async with two(script, replica) as execute:
        ended, _ = await execute(REGISTER_B)
        assert ended.outcome is Outcome.REFUSED
        assert says in ended.detail
        assert sent(script) == []


async def test_an_empty_replica_may_be_registered_whatever_its_uuid() -> None:
    """A fresh instance takes MAIN's uuid with the data (transcripts Q13)."""
    script, replica = main_script(register=DONE), play.Script(play.healthy(), run_id="run-b")
    replica.answers["SHOW STORAGE INFO"] = play.storage_table(uuid="its own")
    async with two(script, replica) as execute:
        assert (await execute(REGISTER_B))[0].outcome is Outcome.DONE


async def test_a_replica_that_does_not_answer_is_not_registered() -> None:
    """REGISTER towards it would hold MAIN's locks for 10 s (design 5)."""
    script, replica = main_script(register=DONE), play.Script(play.healthy(), run_id="run-b")
    replica.answers["SHOW REPLICATION ROLE"] = hanging(trio.Event())
    async with two(script, replica) as execute:
        ended, _ = await execute(REGISTER_B)
        assert ended.outcome is Outcome.NOT_SENT
        assert "b" in ended.detail
        assert sent(script) == []


async def test_names_and_addresses_are_quoted() -> None:
    """A backtick in a name and a quote in an address stay inside their literals."""
    script = play.Script(play.healthy("main"))
    statement = 'REGISTER REPLICA `b``_1` ASYNC TO "127.0.0.1:1\\"; x\\\\"'
    script.answers[statement] = MemgraphError.client("Couldn't register replica b. Error: 2")
    command = evolve(REGISTER_B, row=RowName("b`_1"), address=Address('127.0.0.1:1"; x\\'), mode=Mode.ASYNC)
    async with two(script) as execute:
        ended, _ = await execute(command)
        assert sent(script) == [statement]
        assert ended.error is ErrorClass.ENDPOINT_EXISTS


async def test_dropping_what_is_not_there_is_done() -> None:
    """DROP is not idempotent for the server, but it is for us."""
    script = main_script()
    script.answers["SHOW REPLICAS"] = NO_ROWS
    async with two(script) as execute:
        assert (await execute(DROP_B))[0].outcome is Outcome.DONE
        assert sent(script) == []


@pytest.mark.parametrize(
    "table", [rows("recovery"), rows(None), rows("ready", address="127.0.0.1:9")], ids=["recovery", "half", "address"]
)
async def test_a_row_that_is_not_as_expected_is_not_dropped(table: play.Table) -> None:
    """DROP of a row in recovery kills MAIN, 81 of 81 (transcripts Q5)."""
    script = main_script(drop=DONE)
    script.answers["SHOW REPLICAS"] = table
    async with two(script) as execute:
        ended, _ = await execute(DROP_B)
        assert ended.outcome is Outcome.REFUSED
        assert sent(script) == []


async def test_each_try_to_drop_reads_the_rows_right_before() -> None:
    """A row that fell into recovery between two tries is left alone."""
    text = (
        "Failed to unregister replica due to lack of unique access over the cluster state. Please try again later on."
    )
    script = main_script(drop=MemgraphError.client(text))
    script.answers["SHOW REPLICAS"] = one_by_one(rows("ready"), rows("recovery"))
    async with two(script) as execute:
        ended, _ = await execute(DROP_B)
        assert ended.outcome is Outcome.REFUSED
        assert "recovery" in ended.detail
        assert sent(script) == [DROP]


async def test_dropped_means_gone_from_the_rows() -> None:
    """Busy once, then dropped; the rows read back say so."""
    text = (
        "Failed to unregister replica due to lack of unique access over the cluster state. Please try again later on."
    )
    script = main_script(drop=one_by_one(MemgraphError.client(text), DONE))
    script.answers["SHOW REPLICAS"] = one_by_one(rows(), rows(), NO_ROWS)
    async with two(script) as execute:
        ended, sink = await execute(DROP_B)
        assert ended.outcome is Outcome.DONE
        assert sink.of(RowsSeen)[-1].rows == ()


async def test_an_instance_that_cannot_be_asked_is_not_sent_to() -> None:
    """Before the command was sent nothing can have happened."""
    script = main_script()
    script.answers["SHOW REPLICATION ROLE"] = hanging(trio.Event())
    async with two(script, deadline_s=0.5) as execute:
        assert (await execute(PROMOTE_A))[0].outcome is Outcome.NOT_SENT
        script.death.set()
        assert (await execute(PROMOTE_A))[0].outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    ("command", "statement"), [(PROMOTE_A, PROMOTE), (REGISTER_B, REGISTER), (DROP_B, DROP), (COMMIT_ONLY, NOOP)]
)
async def test_a_lost_answer_is_unknown(command: InstanceCommand, statement: str) -> None:
    """The process dies with the command in its hands."""
    script, begun = main_script("replica" if command is PROMOTE_A else "main"), trio.Event()
    script.answers[statement] = hanging(begun)
    async with two(script) as execute, trio.open_nursery() as nursery:
        nursery.start_soon(_die_when, begun, script)
        ended, sink = await execute(command)
        assert ended.outcome is Outcome.UNKNOWN
        assert [fact.outcome for fact in sink.of(NoopSeen)] == [Outcome.UNKNOWN] * isinstance(command, CommitNoop)


async def _die_when(begun: trio.Event, script: play.Script) -> None:
    await begun.wait()
    script.death.set()


@pytest.mark.parametrize(("command", "statement"), [(PROMOTE_A, PROMOTE), (REGISTER_B, REGISTER), (COMMIT_ONLY, NOOP)])
async def test_an_answer_that_does_not_come_in_time_is_unknown(command: InstanceCommand, statement: str) -> None:
    """The deadline holds although the server hangs; the next command gets a connection of its own."""
    script, begun = main_script("replica" if command is PROMOTE_A else "main"), trio.Event()
    script.answers[statement] = hanging(begun)
    async with two(script, deadline_s=0.5) as execute:
        assert (await execute(command))[0].outcome is Outcome.UNKNOWN
        assert begun.is_set()
        logins = script.logins
        assert (await execute(evolve(command, run=RunId("run-0"))))[0].outcome in (Outcome.REFUSED, Outcome.NOT_SENT)
        assert script.logins == logins + 1


async def test_commands_on_one_instance_wait_for_each_other() -> None:
    """One queue per instance: the second asks nothing, not even its guard, before the first has ended."""
    script, asked, go_on = main_script(drop=DONE, noop=DONE), trio.Event(), trio.Event()
    standby = play.Script(play.healthy(), run_id="run-b")
    script.answers["SHOW REPLICAS"] = one_by_one(rows(), rows(), rows(), NO_ROWS)

    async def look() -> play.Table:
        asked.set()
        await go_on.wait()
        return ("replication role",), [["replica"]]

    standby.answers["SHOW REPLICATION ROLE"] = look
    async with two(script, standby) as execute, trio.open_nursery() as nursery:
        nursery.start_soon(execute, PROVE_B)
        await asked.wait()
        before = len(script.asked)
        nursery.start_soon(execute, DROP_B)
        await trio.sleep(0.2)
        assert len(script.asked) == before
        go_on.set()
    assert sent(script) == [NOOP, DROP]
