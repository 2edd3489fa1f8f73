"""Users and triggers after a promotion: scripted refusals, and both editions as real processes."""

import logging
from pathlib import Path

import neo4j
import pytest
import trio
from attrs import evolve
from neo4j.exceptions import ClientError

from memgraph_ha.adapters.accounts import Account, Accounts
from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.core.commands import InstanceCommand, RestoreTriggers, RestoreUsers
from memgraph_ha.core.cypher import create_trigger
from memgraph_ha.core.facts import CommandEnded, Miss, Outcome, ProbeMissed, RoleSeen, TriggersSeen
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.topology import Trigger
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from tests.adapters import memgraph_rig as rig
from tests.adapters import memgraph_script as play
from tests.adapters.memgraph_cluster import Cluster, Server, following
from tests.adapters.memgraph_pair import DONE, A, main_script, one_by_one, sent, two

pytestmark = pytest.mark.trio

KEEPER = Account(user="keeper", password='he said "no\\way"')  # noqa: S106 - opens nothing
APP = Account(user="App", password="Tr0ub4dor")  # noqa: S106 - opens nothing
ACCOUNTS = Accounts(controller=KEEPER, others=(APP,))
CREATE_KEEPER = r'CREATE USER IF NOT EXISTS `keeper` IDENTIFIED BY "he said \"no\\way\""'
CREATE_APP = 'CREATE USER IF NOT EXISTS `App` IDENTIFIED BY "Tr0ub4dor"'
USERS_OF_A = RestoreUsers(instance=A, run=RunId("run-1"), generation=1)

LOG = Trigger(name="log it", event="() CREATE", phase="BEFORE COMMIT", statement="CREATE (:Log {by: 'x  y'})")
ANY = Trigger(name="any", event="", phase="AFTER COMMIT", statement="MATCH (n:Count) SET n.n = n.n + 1")
TRIGGERS_OF_A = RestoreTriggers(instance=A, run=RunId("run-1"), generation=1, triggers=(LOG, ANY))
CREATE_LOG = "CREATE TRIGGER `log it` ON () CREATE BEFORE COMMIT EXECUTE CREATE (:Log {by: 'x  y'})"
CREATE_ANY = "CREATE TRIGGER `any` AFTER COMMIT EXECUTE MATCH (n:Count) SET n.n = n.n + 1"
SHOWN_LOG = ("log it", LOG.statement, "() CREATE", "BEFORE COMMIT")
SHOWN_ANY = ("any", ANY.statement, "ANY", "AFTER COMMIT")


async def users(
    script: play.Script, *, accounts: Accounts | None = ACCOUNTS, command: InstanceCommand = USERS_OF_A
) -> CommandEnded:
    """How RestoreUsers ends on that script."""
    async with two(script, accounts=accounts, deadline_s=0.8) as execute:
        return (await execute(command))[0]


async def test_missing_users_are_created_the_controller_first() -> None:
    """Names and passwords quoted, and the list read back."""
    script = main_script()
    script.answers["SHOW USERS"] = one_by_one(play.users_table(), play.users_table("app", "keeper"))
    script.answers[CREATE_KEEPER] = script.answers[CREATE_APP] = DONE
    assert (await users(script)).outcome is Outcome.DONE
    assert sent(script) == [CREATE_KEEPER, CREATE_APP]


async def test_users_that_are_there_are_left_alone() -> None:
    """SHOW USERS prints lower case, and no password is changed."""
    script = main_script()
    script.answers["SHOW USERS"] = play.users_table("app", "keeper", "somebody")
    assert (await users(script)).outcome is Outcome.DONE
    assert sent(script) == []


async def test_a_refused_user_is_named() -> None:
    """With the server's text, as it does not quote the password; later ones are not tried."""
    script = main_script()
    script.answers[CREATE_KEEPER] = MemgraphError.client("Invalid user name.")
    ended = await users(script)
    assert (ended.outcome, ended.detail) == (
        Outcome.REFUSED,
        "account 'keeper' was not created: Invalid user name.",
    )
    assert sent(script) == [CREATE_KEEPER]


@pytest.mark.parametrize(
    "text",
    [
        f"Error on line 1 position 9: {CREATE_APP}",
        'Error on line 1 position 50. The underlying parsing error is extraneous input "Tr0ub4dor" expecting NULL',
        "Error on line 1: near ...0ub4...",
    ],
)
async def test_a_text_that_quotes_the_password_is_withheld(text: str) -> None:
    """Whole or in part; what it means is still said."""
    script = main_script()
    script.answers["SHOW USERS"] = play.users_table("keeper")
    script.answers[CREATE_APP] = MemgraphError.client(text)
    ended = await users(script)
    assert (ended.outcome, ended.error) == (Outcome.REFUSED, ErrorClass.SYNTAX)
    assert "account 'App' was not created: the server does not know this form" in ended.detail
    assert "0ub" not in ended.detail


async def test_a_busy_system_lock_is_waited_for() -> None:
    """Auth queries share the mutex of role commands (semantics 2.0)."""
    script, busy = main_script(), MemgraphError.client("Multiple concurrent system queries are not supported.")
    script.answers["SHOW USERS"] = one_by_one(play.users_table("app"), play.users_table("app", "keeper"))
    script.answers[CREATE_KEEPER] = one_by_one(busy, busy, DONE)
    assert (await users(script)).outcome is Outcome.DONE
    script.answers["SHOW USERS"] = play.users_table("app")
    script.answers[CREATE_KEEPER] = busy
    ended = await users(script)
    assert (ended.outcome, ended.error) == (Outcome.REFUSED, ErrorClass.BUSY)
    assert ended.detail.startswith("account 'keeper' was not created: Multiple")


async def test_an_answer_that_does_not_hold_is_refused() -> None:
    """A user that SHOW USERS does not list is none."""
    script = main_script()
    script.answers[CREATE_KEEPER] = script.answers[CREATE_APP] = DONE
    assert (await users(script)).detail == "CREATE USER was answered, but SHOW USERS lacks keeper, App"


async def test_no_accounts_another_run_and_a_replica() -> None:
    """Nothing is sent; each says why."""
    script = main_script()
    assert "name an accounts file" in (await users(script, accounts=None)).detail
    ended = await users(script, command=evolve(USERS_OF_A, run=RunId("run-0")))
    assert (ended.outcome, "run-0" in ended.detail) == (Outcome.REFUSED, True)
    replica = main_script("replica")
    assert "role replica" in (await users(replica)).detail
    assert sent(script) == sent(replica) == []


@pytest.mark.parametrize(("trigger", "statement"), [(LOG, CREATE_LOG), (ANY, CREATE_ANY)])
async def test_a_trigger_is_spelt_as_it_was_shown(trigger: Trigger, statement: str) -> None:
    """An event has its ON, none has none; the statement is untouched."""
    assert create_trigger(trigger) == statement


async def test_missing_triggers_are_created_and_told() -> None:
    """By name: one that is there is left alone."""
    script = main_script()
    before, after = play.triggers_table(SHOWN_ANY), play.triggers_table(SHOWN_ANY, SHOWN_LOG)
    script.answers["SHOW TRIGGERS"] = one_by_one(before, after)
    script.answers[CREATE_LOG] = DONE
    async with two(script) as execute:
        ended, sink = await execute(TRIGGERS_OF_A)
    assert (ended.outcome, sent(script)) == (Outcome.DONE, [CREATE_LOG])
    assert sink.of(TriggersSeen)[-1].triggers == (ANY, LOG)


async def test_refused_triggers_are_named_and_the_others_made() -> None:
    """All that can be restored is, whatever fails."""
    script = main_script()
    script.answers["SHOW TRIGGERS"] = one_by_one(play.triggers_table(), play.triggers_table(SHOWN_ANY))
    script.answers[CREATE_LOG] = MemgraphError.transient("Failed creating the trigger.")
    script.answers[CREATE_ANY] = DONE
    async with two(script) as execute:
        ended, sink = await execute(TRIGGERS_OF_A)
    assert ended.outcome is Outcome.REFUSED
    assert ended.detail == "trigger 'log it' was not created: Failed creating the trigger."
    assert sink.of(TriggersSeen)[-1].triggers == (ANY,)


# --- processes -----------------------------------------------------------------------------------------------


def login(server: Server, auth: tuple[str, str] | None) -> bool:
    """Whether a new connection with these credentials is let in."""
    with neo4j.GraphDatabase.driver(f"bolt://{server.member.bolt}", auth=auth) as driver:
        try:
            driver.verify_connectivity()
        except ClientError as error:
            if error.message != "Authentication failure":
                raise
            return False
        return True


async def logins(server: Server) -> list[bool]:
    """The controller, an application, a wrong password, an unknown user, nobody."""
    tries = [ACCOUNTS.auth, (APP.user, APP.password), ("app", "wrong"), ("bob", "x"), None]
    return [await trio.to_thread.run_sync(login, server, each) for each in tries]


async def promoted(cluster: Cluster) -> None:
    """MAIN a, registered b, a killed, b promoted."""
    await cluster.pair()
    cluster["a"].kill()
    await cluster.done(await cluster.promote("b"))


async def test_official_build_a_promoted_replica_has_no_users_until_they_are_restored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Any login is let in; then only the right ones are; and no password is in any log (transcripts Q2)."""
    caplog.set_level(logging.DEBUG)
    async with following(tmp_path, "a", "b", user=ACCOUNTS.auth, accounts=ACCOUNTS) as cluster:
        await promoted(cluster)
        assert await logins(cluster["b"]) == [True] * 5
        command = await cluster.restore_users("b")
        await cluster.done(command)
        assert await logins(cluster["b"]) == [True, True, False, False, False]
        await cluster.done(command)
        await cluster.done(await cluster.noop("b"))
        assert not [fact for fact in cluster.sink.of(ProbeMissed, "b") if fact.miss is Miss.UNAUTHORISED]
    for account in ACCOUNTS.everyone:
        assert account.password not in caplog.text
        assert account.password not in repr(cluster.sink.facts)


async def test_community_build_keeps_its_users_and_gets_those_it_lacks(tmp_path: Path) -> None:
    """REGISTER and promotion touch no user (transcripts Q2); the application's account is added."""
    async with following(tmp_path, "a", "b", user=ACCOUNTS.auth, accounts=ACCOUNTS, edition="community") as cluster:
        await promoted(cluster)
        assert await logins(cluster["b"]) == [True, False, False, False, False]
        await cluster.done(await cluster.restore_users("b"))
        assert await logins(cluster["b"]) == [True, True, False, False, False]


async def test_a_server_without_users_takes_our_login(tmp_path: Path) -> None:
    """So credentials can be given before there are any users (semantics 9.2)."""
    async with following(tmp_path, "a", accounts=ACCOUNTS) as cluster:
        await cluster.done(await cluster.promote("a"))
        await cluster.done(await cluster.restore_users("a"))
        assert await logins(cluster["a"]) == [True, True, False, False, False]


async def test_users_are_not_created_on_a_replica(tmp_path: Path) -> None:
    """The guard comes before Memgraph's own refusal."""
    async with following(tmp_path, "a", accounts=ACCOUNTS) as cluster:
        ended = await cluster.execute(await cluster.restore_users("a"))
        assert (ended.outcome, "role replica" in ended.detail) == (Outcome.REFUSED, True)


def query(server: Server, text: str, auth: tuple[str, str] | None = None) -> list[list[object]]:
    """Run one query as somebody else would."""
    with neo4j.GraphDatabase.driver(f"bolt://{server.member.bolt}", auth=auth) as driver, driver.session() as session:
        return [list(record.values()) for record in session.run(neo4j.Query(text))]


async def test_a_password_changed_on_a_living_instance_is_unauthorised_and_nothing_else(tmp_path: Path) -> None:
    """Kept connections go on; new ones say whose login was refused, never the password; commands are not sent."""
    async with following(tmp_path, "a", user=ACCOUNTS.auth, accounts=ACCOUNTS) as cluster:
        command = await cluster.promote("a")
        await cluster.done(command)
        await trio.to_thread.run_sync(query, cluster["a"], "SET PASSWORD FOR keeper TO 'changed'", ACCOUNTS.auth)
        assert (await cluster.role("a")).run == command.run
        patient = Policy(probe_timeout_s=5)  # a login costs 0.2 s of computing, and more on a busy machine
        stranger, sink = MemgraphDatabase(patient, auth=None, accounts=ACCOUNTS, clock=rig.boottime_s), rig.Sink()
        stranger.follow((cluster["a"].member,))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stranger.watch, sink)
            for after in range(3):
                missed = await sink.next(ProbeMissed, "a", after=after)
                assert (missed.miss, missed.detail) == (
                    Miss.UNAUTHORISED,
                    "Authentication failure (as user 'keeper')",
                )
            ended = await stranger.execute(command, sink)
            assert (ended.outcome, "as user 'keeper'" in ended.detail) == (Outcome.NOT_SENT, True)
            assert not sink.of(RoleSeen)
            nursery.cancel_scope.cancel()
        for account in ACCOUNTS.everyone:
            assert account.password not in repr(sink.facts)


async def test_triggers_are_lost_by_a_promotion_and_restored(tmp_path: Path) -> None:
    """What MAIN showed is created again on the promoted one, word for word, and fires (transcripts Q21)."""
    made = (ANY, evolve(ANY, name="edge", event="--> UPDATE"), LOG, evolve(LOG, name="plain", event="DELETE"))
    async with following(tmp_path, "a", "b", policy=Policy(command_deadline_s=3)) as cluster:
        await cluster.pair()
        await cluster.done(await cluster.restore_triggers("a", *made))
        seen = cluster.sink.of(TriggersSeen, "a")[-1].triggers
        assert seen == tuple(sorted(made))
        cluster["a"].kill()
        await cluster.done(await cluster.promote("b"))
        lost = await cluster.sink.next(TriggersSeen, "b")
        assert lost.triggers == ()
        await cluster.done(await cluster.restore_triggers("b", *seen))
        assert cluster.sink.of(TriggersSeen, InstanceName("b"))[-1].triggers == seen
        await trio.to_thread.run_sync(query, cluster["b"], "CREATE (:Event)")
        assert await trio.to_thread.run_sync(query, cluster["b"], "MATCH (n:Log) RETURN n.by") == [["x  y"]]
