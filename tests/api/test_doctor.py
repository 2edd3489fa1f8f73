"""The doctor: each check, met and not met, for a bare server and for a cluster."""

from attrs import evolve

from memgraph_ha.api.doctor import Check, Level, checks_of, checks_of_server
from memgraph_ha.core.facts import Miss, RecordTrouble, RoleSeen, ServerSeen, StorageSeen
from memgraph_ha.core.names import Address, InstanceName, RunId
from memgraph_ha.core.policy import DataDurability, Users
from memgraph_ha.core.topology import Mode, Role, RowStatus, StorageMode
from tests.core.changes import (
    data_unknown,
    gone,
    misses,
    other_data,
    place,
    policy,
    recorded,
    restarted,
    rows,
    scene,
    standby_row,
    unheard,
)
from tests.core.scenes import ALONE, EMPTY
from tests.core.views import HEALTHY, M0, M1, M2, NOW, Scene, async_row, strict_row

NAME, RUN = InstanceName("10.0.0.1:7687"), RunId("run-1")
SERVER = ServerSeen(at_s=1, instance=NAME, run=RUN, version="3.8.0", wal=True, flush_every=1, init_file="/init.cypherl")
STORAGE = StorageSeen(
    at_s=1, asked_at_s=1, instance=NAME, run=RUN, uuid="u", empty=False, mode=StorageMode.TRANSACTIONAL, objects=12
)
ROLE = RoleSeen(at_s=1, asked_at_s=1, instance=NAME, run=RUN, role=Role.MAIN)


def check(found: list[Check], name: str, instance: str | None = None) -> Check:
    """The one check of that name."""
    (one,) = [each for each in found if each.check == name and each.instance == instance]
    return one


def cluster(at: Scene, name: str, instance: str | None = None) -> Check:
    """One check of a scene."""
    return check(checks_of(at.view), name, instance)


def bad(found: list[Check]) -> set[tuple[str, Level]]:
    """What is not as it should be, and how bad that is."""
    return {(each.check, each.level) for each in found if each.ok is not True}


def test_a_good_bare_server_passes() -> None:
    """Nothing of a cluster is needed; the role and the data are told."""
    found = checks_of_server(SERVER, STORAGE, ROLE)
    assert bad(found) == set()
    assert "12 objects" in check(found, "role", NAME).says
    assert all(each.fix == "" for each in found)


def test_a_bare_server_without_wal_is_an_error() -> None:
    """It replicates nothing: that is said, with the flag that mends it."""
    found = checks_of_server(evolve(SERVER, wal=False), STORAGE, ROLE)
    assert bad(found) == {("wal", Level.ERROR)}
    assert "--storage-wal-enabled=true" in check(found, "wal", NAME).fix


def test_what_else_may_be_wrong_with_a_server() -> None:
    """Flush, init file, storage mode and version, each by how bad it is."""
    server = evolve(SERVER, flush_every=100_000, init_file="", version="3.5.2")
    found = checks_of_server(server, evolve(STORAGE, mode=StorageMode.ANALYTICAL), ROLE)
    assert bad(found) == {
        ("flush", Level.WARNING),
        ("init file", Level.WARNING),
        ("version", Level.ERROR),
        ("storage mode", Level.ERROR),
    }
    assert all(each.fix for each in found if each.ok is False)


def test_versions_are_compared_as_numbers() -> None:
    """3.10 is newer than 3.8; an unreadable one is not called good or bad."""
    for version, ok in (("3.10.0", True), ("3.8.0", True), ("3.7.9", False), ("nightly", None)):
        assert check(checks_of_server(evolve(SERVER, version=version), STORAGE, ROLE), "version", NAME).ok is ok


def test_a_healthy_cluster_has_nothing_worse_than_advice() -> None:
    """Only the version of the tests' scene is older than advised."""
    assert bad(checks_of(HEALTHY.view)) <= {("version", Level.INFO), ("init file", Level.WARNING)}


def test_the_record_is_looked_at_first() -> None:
    """None yet, unreadable, invalid, not there."""
    assert cluster(HEALTHY, "record").ok
    assert cluster(HEALTHY.but(scene(record_was_read=False)), "record").ok is None
    assert cluster(EMPTY, "record").says == "there is no record: no reign has begun"
    invalid = HEALTHY.but(scene(record=None, trouble=RecordTrouble.INVALID))
    assert cluster(invalid, "record").ok is False
    assert "RecordInvalid" in cluster(invalid, "record").says


def test_members_and_eligible() -> None:
    """Two are few; a name that is no member's can never be MAIN."""
    two = evolve(HEALTHY, places=HEALTHY.places[:2])
    assert cluster(two, "members").ok is False
    assert cluster(HEALTHY, "eligible").ok
    wrong = cluster(HEALTHY.but(policy(eligible=(M0, InstanceName("m9")))), "eligible")
    assert (wrong.ok, "m9" in wrong.says) == (False, True)


def test_standby_and_durability() -> None:
    """Named or not; unprotected is a warning, `required` says that writes wait."""
    assert cluster(HEALTHY, "standby").ok
    assert cluster(ALONE, "standby").ok is False
    assert cluster(ALONE, "data durability").level is Level.WARNING
    waits = HEALTHY.but(policy(data_durability=DataDurability.REQUIRED))
    assert "writes wait" in cluster(waits, "data durability").says


def test_a_wrong_password_is_about_users() -> None:
    """The fix says what the policy should be where there are accounts."""
    refused = HEALTHY.but(misses(M1, Miss.UNAUTHORISED, 3, 0.2))
    found = cluster(refused, "users")
    assert found.ok is False
    assert "restore" in found.fix
    assert "restore" not in cluster(refused.but(policy(users=Users.RESTORE)), "users").fix
    assert cluster(refused, "answers", "m1").says == "wrong user or password"


def test_a_gap_in_our_own_time_is_told_for_a_minute() -> None:
    """What happened meanwhile was missed."""
    assert cluster(HEALTHY.but(scene(gap_at_s=NOW - 30)), "clock").ok is False
    assert cluster(HEALTHY.but(scene(gap_at_s=NOW - 90)), "clock").ok


def test_foreign_rows_are_worse_if_they_can_stop_writes() -> None:
    """An ASYNC one is a warning, any other an error."""
    foreign = evolve(async_row("stranger"), address=Address("10.9.9.9:10000"))
    soft = cluster(HEALTHY.but(rows(strict_row(), async_row(), foreign)), "foreign rows")
    hard = cluster(HEALTHY.but(rows(strict_row(), evolve(foreign, mode=Mode.STRICT_SYNC))), "foreign rows")
    assert (soft.ok, soft.level, hard.level) == (False, Level.WARNING, Level.ERROR)
    assert "10.9.9.9:10000" in soft.says


def test_each_instance_is_looked_at() -> None:
    """Process, answer, configuration, data, port and row."""
    assert cluster(HEALTHY.but(gone(M2)), "answers", "m2").ok is False
    assert cluster(HEALTHY.but(unheard(M2)), "answers", "m2").ok is None
    assert cluster(HEALTHY.but(place(M2, flush_every=None)), "configuration", "m2").ok is None
    assert cluster(HEALTHY.but(other_data(M2)), "data set", "m2").ok is False
    assert cluster(HEALTHY.but(place(M2, port_open=False)), "replication port", "m2").ok is False
    assert cluster(HEALTHY.but(place(M2, port_open=None)), "replication port", "m2").ok is None
    assert cluster(HEALTHY.but(standby_row(RowStatus.INVALID)), "row", "m1").ok is False
    assert cluster(HEALTHY.but(rows(strict_row())), "row", "m2").says == "it is not registered on MAIN"


def test_a_rebuild_that_goes_by_itself_is_no_work_for_a_human() -> None:
    """Asked for, or proven by history: a warning that says to wait; else the command, and why it is not unasked."""
    to_do = HEALTHY.but(recorded(rebuild=frozenset({M2}), level=((M0, 3),)))
    found = cluster(to_do, "row", "m2")
    assert (found.level, found.fix) == (Level.ERROR, "`memgraph-ha reinit m2`")
    assert "was not seen level" in found.says
    asked = cluster(to_do.but(recorded(reinit=frozenset({M2}))), "row", "m2")
    assert (asked.ok, asked.level) == (False, Level.WARNING)
    assert "reinit" not in asked.fix


def test_what_was_seen_of_another_run_is_not_told_of_this_one() -> None:
    """A restarted instance's data is unknown until it is asked again."""
    found = checks_of(HEALTHY.but(restarted(M2), data_unknown(M2)).view)
    assert not [each for each in found if each.instance == "m2" and each.check in ("storage mode", "data set")]
