"""What a probe tells besides the role: configuration, storage, triggers and port, and what is asked when."""

import pytest
import trio

from memgraph_ha.core.facts import PortSeen, RoleSeen, RowsSeen, ServerSeen, StorageSeen, TriggersSeen
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.topology import Role, StorageMode, Trigger
from tests.adapters import memgraph_script as play
from tests.adapters.memgraph_watching import scripted, stuck
from tests.free_port import free_port

pytestmark = pytest.mark.trio

A = InstanceName("a")


async def test_a_replica_tells_role_server_storage_and_port() -> None:
    """One round of every task makes one fact of every kind, each with the run that answered."""
    script = play.Script(play.healthy("replica"))
    async with scripted(script) as (_, sink):
        role = await sink.next(RoleSeen, "a")
        server, storage = await sink.next(ServerSeen, "a"), await sink.next(StorageSeen, "a")
        assert (role.role, role.run) == (Role.REPLICA, "run-1")
        assert (server.run, server.version, server.wal, server.flush_every) == ("run-1", "3.6.1", True, 1)
        assert server.init_file == "/etc/role.cypherl"
        assert (storage.run, storage.uuid, storage.empty) == ("run-1", play.UUID, True)
        assert storage.mode is StorageMode.TRANSACTIONAL
        assert (await sink.next(PortSeen, "a")).open
        assert role.asked_at_s <= role.at_s
        assert storage.asked_at_s - role.at_s < 0.7  # at once, not at the next turn
        assert "SHOW REPLICAS" not in script.asked


async def test_a_main_tells_its_rows_but_not_its_port() -> None:
    """SHOW REPLICAS follows each answer of a MAIN; nobody replicates to it, so its port is not looked at."""
    async with scripted(play.Script(play.healthy("main"))) as (_, sink):
        assert (await sink.next(RowsSeen, "a")).rows == ()
        await sink.next(StorageSeen, "a")
        assert not sink.of(PortSeen)


async def test_a_closed_replication_port_is_seen() -> None:
    """A REPLICA whose port could not be bound answers Bolt all the same."""
    async with scripted(play.Script(play.healthy()), replication=free_port()) as (_, sink):
        assert not (await sink.next(PortSeen, "a")).open


async def test_version_and_config_are_asked_once_per_run_but_told_again() -> None:
    """The facts are told again, for whoever missed them; the server is not asked again."""
    script = play.Script(play.healthy())
    async with scripted(script) as (database, sink):
        for _ in range(3):
            mark = len(sink.facts)
            database.look([A])
            await sink.next(ServerSeen, "a", after=mark)
        assert script.asked.count("SHOW VERSION") == script.asked.count("SHOW CONFIG") == 1
        assert script.asked.count("SHOW INDEX INFO") == 1


async def test_an_index_makes_an_instance_without_vertices_not_empty() -> None:
    """Empty means: no vertices, edges, indexes, constraints (design 5)."""
    script = play.Script(play.healthy())
    script.answers["SHOW CONSTRAINT INFO"] = (("constraint type",), [["unique"]])
    async with scripted(script) as (_, sink):
        assert not (await sink.next(StorageSeen, "a")).empty


async def test_the_triggers_of_a_main_are_told_sorted() -> None:
    """As CREATE TRIGGER wants them; no event is no ON."""
    script = play.Script(play.healthy("main"))
    script.answers["SHOW TRIGGERS"] = play.triggers_table(
        ("b", "CREATE (:B)", "ANY", "AFTER COMMIT"), ("a", "CREATE (:A)", "--> UPDATE", "BEFORE COMMIT")
    )
    async with scripted(script) as (_, sink):
        seen = await sink.next(TriggersSeen, "a")
    assert (seen.run, seen.triggers) == (
        "run-1",
        (
            Trigger(name="a", event="--> UPDATE", phase="BEFORE COMMIT", statement="CREATE (:A)"),
            Trigger(name="b", event="", phase="AFTER COMMIT", statement="CREATE (:B)"),
        ),
    )
    assert seen.asked_at_s <= seen.at_s


async def test_triggers_are_asked_rarely_and_at_once_of_another_main() -> None:
    """Each question costs MAIN a timestamp; a new role or a new run is not waited for."""
    script = play.Script(play.healthy("replica"))
    async with scripted(script) as (database, sink):
        await sink.next(StorageSeen, "a")
        assert "SHOW TRIGGERS" not in script.asked
        script.answers["SHOW REPLICATION ROLE"] = (("replication role",), [["main"]])
        await sink.next(TriggersSeen, "a")
        for _ in range(3):
            mark = len(sink.facts)
            database.look([A])
            await sink.next(StorageSeen, "a", after=mark)
        assert script.asked.count("SHOW TRIGGERS") == 1
        script.run_id = "run-2"
        script.cut()
        assert (await sink.next(TriggersSeen, "a", that=lambda seen: seen.run == "run-2")).triggers == ()
        assert script.asked.count("SHOW TRIGGERS") == 2


async def test_triggers_that_wait_behind_a_commit_delay_no_other_detail() -> None:
    """They are asked last, and given up with the round."""
    script, never = play.Script(play.healthy("main")), trio.Event()
    script.answers["SHOW TRIGGERS"] = stuck(never, play.triggers_table())
    async with scripted(script) as (_, sink):
        storage = await sink.next(StorageSeen, "a")
        await sink.next(ServerSeen, "a")
        await sink.next(StorageSeen, "a", that=lambda seen: seen.at_s > storage.at_s)
        assert not sink.of(TriggersSeen)
        assert script.asked.count("SHOW TRIGGERS") == 1


async def test_vertices_and_edges_are_counted_together() -> None:
    """What a replica that begins with nothing has to be sent."""
    script = play.Script(play.healthy())
    script.answers["SHOW STORAGE INFO"] = play.storage_table(vertices=7, edges=5)
    async with scripted(script) as (_, sink):
        assert (await sink.next(StorageSeen, "a")).objects == 12


async def test_schema_is_not_asked_of_an_instance_with_vertices() -> None:
    """Asking opens a transaction: it is done only where it decides something."""
    script = play.Script(play.healthy())
    script.answers["SHOW STORAGE INFO"] = play.storage_table(vertices=7)
    async with scripted(script) as (_, sink):
        assert not (await sink.next(StorageSeen, "a")).empty
        assert "SHOW INDEX INFO" not in script.asked


@pytest.mark.parametrize(
    ("version", "query"),
    [
        ("3.9.0", "SHOW STORAGE INFO"),
        ("3.10.0", "SHOW STORAGE INFO ON DATABASE memgraph"),
        ("3.12.0+5~abc", "SHOW STORAGE INFO ON DATABASE memgraph"),
    ],
)
async def test_the_form_of_storage_info_goes_by_version(version: str, query: str) -> None:
    """Plain up to 3.9, ON DATABASE from 3.10 (semantics 8)."""
    script = play.Script(play.healthy(version=version))
    del script.answers["SHOW STORAGE INFO"]
    script.answers[query] = play.storage_table(uuid="by-version")
    async with scripted(script) as (_, sink):
        assert (await sink.next(StorageSeen, "a")).uuid == "by-version"


async def test_settings_that_are_not_listed_count_as_the_worse_case() -> None:
    """No WAL line and no flush line: not replicated, not durable."""
    script = play.Script(play.healthy())
    script.answers["SHOW CONFIG"] = (("name", "current_value"), [["bolt_port", "7687"]])
    async with scripted(script) as (_, sink):
        server = await sink.next(ServerSeen, "a")
        assert (server.wal, server.flush_every) == (False, 0)
