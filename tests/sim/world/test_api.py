"""The API: compare-and-set, lost answers, throttling, outages, and a watch that is late, lossy or gone."""

import pytest
from attrs import evolve

from memgraph_ha.core.facts import RecordSeen, RecordTrouble
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.topology import Member
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.world.api import API
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from tests.sim.world.setting import M0, M1, M2, whole


def _ask(controller: Controller) -> list[tuple[float, str | None]]:
    """Ask the API for something; returns where the answer is put, with when it came."""
    answers: list[tuple[float, str | None]] = []
    began_s = controller.cluster.now
    controller.request(lambda: "done", lambda made: answers.append((controller.cluster.now - began_s, made)))
    return answers


def test_a_record_is_written_only_over_the_version_that_was_read() -> None:
    """Compare-and-set: the second of two writers is refused, and a touched object refuses both."""
    cluster, _, _ = whole()
    record, token = cluster.store.read()
    assert record is not None
    changed = evolve(record, row_seq=record.row_seq + 1)
    assert cluster.store.swap(token, changed)
    assert not cluster.store.swap(token, changed)
    token = cluster.store.read()[1]
    cluster.store.touch()
    assert not cluster.store.swap(token, changed)


def test_a_record_is_created_only_where_there_is_none() -> None:
    """Create-only: no version is expected where nothing is."""
    cluster, _, _ = whole()
    record = cluster.store.history[-1]
    assert not cluster.store.swap(None, record)
    cluster.hands.delete_record()
    assert cluster.store.swap(None, record)


def test_what_cannot_be_read_is_trouble_with_a_name() -> None:
    """As the adapters say it: invalid, or of a newer schema."""
    cluster, leader, _ = whole()
    for text, trouble in (("{", RecordTrouble.INVALID), ('{"schema": 2}', RecordTrouble.NEWER_SCHEMA)):
        cluster.hands.corrupt_record(text)
        seen = cluster.store.seen_at(1.0)
        assert (seen.record, seen.trouble) == (None, trouble)
        cluster.world.run(2)
        assert isinstance(leader.observed.record, RecordSeen)
        assert leader.observed.record.trouble is trouble
    cluster.hands.mend_record()
    assert cluster.store.read()[0] == cluster.store.history[-1]


def test_an_older_and_a_foreign_record_can_be_put_there() -> None:
    """Past everybody's back; what controllers wrote is remembered."""
    cluster, leader, _ = whole()
    newest = cluster.store.history[-1]
    cluster.hands.roll_back_record(2)
    assert cluster.store.read()[0] == cluster.store.history[-3]
    cluster.hands.foreign_record()
    cluster.world.run(2)
    assert leader.decision is not None
    assert leader.decision.hold is Hold.RECORD_FOREIGN
    assert cluster.store.history[-1] == newest


def test_an_outage_answers_nothing_and_a_refusal_at_once() -> None:
    """Down for one is not down for the other."""
    cluster, leader, other = whole()
    cluster.api.down(leader.name)
    nothing, something = _ask(leader), _ask(other)
    cluster.world.run(leader.policy.command_deadline_s + 0.1)
    assert nothing[0][1] is None
    assert nothing[0][0] >= leader.policy.command_deadline_s - 0.01
    assert something[0][1] == "done"
    cluster.api.down(how=Reach.REFUSED)
    refused = _ask(other)
    cluster.world.run(0.1)
    assert refused[0][1] is None
    cluster.api.up()
    answered = _ask(leader)
    cluster.world.run(0.1)
    assert answered[0][1] == "done"


def test_a_throttled_api_is_slow_and_turns_requests_away() -> None:
    """Answers within the two bounds; 429 at once."""
    cluster, leader, _ = whole()
    cluster.api.throttle(2.0, 3.0)
    slow = _ask(leader)
    cluster.world.run(4)
    assert slow[0][1] == "done"
    assert 2.0 <= slow[0][0] <= 3.1
    cluster.api.throttle(2.0, 3.0, refuse=1.0)
    turned_away = _ask(leader)
    cluster.world.run(0.1)
    assert turned_away[0][1] is None
    cluster.api.unthrottle()
    quick = _ask(leader)
    cluster.world.run(0.1)
    assert quick[0][1] == "done"


def test_a_write_can_be_done_without_an_answer() -> None:
    """The controller learns nothing, and finds out by reading."""
    cluster, leader, _ = whole()
    cluster.api.lose_write_answer(1, leader.name)
    done: list[str | None] = []

    def serve() -> str:
        done.append("served")
        return "answer"

    leader.request(serve, done.append, writes=True)
    cluster.world.run(leader.policy.command_deadline_s + 1)
    assert done == ["served", None]


def test_a_conflict_can_be_ordered() -> None:
    """Somebody touches the record right before the next write of a controller: it is refused and written again."""
    cluster, leader, _ = whole()
    cluster.api.conflict()
    cluster.keep_down(M1)
    cluster.world.run(3)
    assert any("WriteRecord: refused" in line for line in cluster.trace)
    assert cluster.store.history[-1].standby is None
    assert leader.observed.record is not None
    assert leader.observed.record.record == cluster.store.history[-1]


def _listed(cluster: Cluster) -> list[tuple[float, tuple[Member, ...]]]:
    """Watch as another controller would; returns what comes, and when."""
    lists: list[tuple[float, tuple[Member, ...]]] = []
    cluster.controllers["C9"] = cluster.controllers["C1"]
    cluster.api.watch("C9", lambda members: lists.append((cluster.now, members)))
    cluster.world.run(0.5)
    return lists


def test_a_watch_tells_of_every_change_in_order() -> None:
    """First the list, then what changed."""
    cluster, _, _ = whole()
    lists = _listed(cluster)
    cluster.keep_down(M2)
    cluster.world.run(0.5)
    assert [[member.incarnation is None for member in members] for _, members in lists] == [
        [False, False, False],
        [False, False, True],
    ]


def test_a_watch_that_lags_is_late() -> None:
    """By as much as was ordered."""
    cluster, _, _ = whole()
    lists = _listed(cluster)
    cluster.api.lag(3.0, "C9")
    began_s = cluster.now
    cluster.keep_down(M2)
    cluster.world.run(5)
    assert 3.0 <= lists[-1][0] - began_s <= 3.2


@pytest.mark.parametrize("mend", ["prompt", "heal"])
def test_a_watch_that_lags_no_more_is_up_to_date(mend: str) -> None:
    """What is so now comes first; what is still under way is older, and says nothing any more."""
    cluster, _, _ = whole()
    lists = _listed(cluster)
    cluster.api.lag(30.0, "C9")
    cluster.keep_down(M2)
    cluster.world.run(1)
    assert len(lists) == 1
    cluster.let_up(M2)
    cluster.world.run(1)
    if mend == "prompt":
        cluster.api.lag(0.0, "C9")
    else:
        cluster.api.heal()
    cluster.world.run(5)
    told = len(lists)
    assert lists[-1][1] == cluster.members()
    cluster.world.run(40)
    assert {members for _, members in lists[told:]} <= {cluster.members()}


def test_a_gap_loses_events_until_the_watch_begins_anew() -> None:
    """410 Gone: the list that follows tells what was missed."""
    cluster, _, _ = whole()
    lists = _listed(cluster)
    cluster.api.gap("C9")
    cluster.keep_down(M2)
    cluster.world.run(5)
    assert len(lists) == 1
    cluster.api.expire("C9")
    cluster.world.run(2)
    assert lists[-1][1][2].incarnation is None


def test_a_stale_server_lists_what_was_and_reads_of_the_record_only_if_asked_for() -> None:
    """Time travel: a new watch begins at an older version; writes meet the truth."""
    cluster, leader, _ = whole()
    lists = _listed(cluster)
    before = cluster.members()
    cluster.kill(M2)
    cluster.world.run(2)
    cluster.api.stale(2, "C9")
    cluster.world.run(2)
    assert lists[-1][1] == before
    assert cluster.api.record_back("C9") == 0
    leader.start()
    cluster.api.stale(1, leader.name, record=True)
    cluster.world.run(2)
    assert leader.observed.record is not None
    assert leader.observed.record.token not in (None, cluster.store.read()[1])


def test_a_record_older_than_what_was_read_is_no_record() -> None:
    """Whoever has seen a newer version does not go back (catalogue I2); it waits until it is served the truth."""
    cluster, leader, _ = whole(writers=1)
    cluster.api.stale(1, leader.name, record=True)
    cluster.world.run(3)
    assert leader.observed.record is not None
    assert leader.observed.record.trouble is RecordTrouble.UNREADABLE
    cluster.api.fresh(leader.name)
    cluster.world.run(3)
    assert leader.observed.record.trouble is None


def test_a_watch_that_is_refused_is_begun_again_until_it_is_taken() -> None:
    """A controller that starts while the API refuses it hears of its members once the API does not."""
    cluster, leader, _ = whole()
    leader.crash()
    cluster.api.down(leader.name, Reach.REFUSED)
    leader.start()
    cluster.world.run(3)
    assert leader.observed.members is None
    cluster.api.up(leader.name)
    cluster.world.run(2)
    assert leader.observed.members is not None


def test_a_held_link_to_the_api_is_a_clogged_one() -> None:
    """Nothing is refused, nothing comes."""
    cluster, leader, _ = whole()
    cluster.net.hold(API, leader.name)
    answers = _ask(leader)
    cluster.world.run(1)
    assert answers == []
    cluster.net.release(API, leader.name)
    cluster.world.run(0.1)
    assert answers[0][1] == "done"
    assert cluster.up(M0)
