"""Pods, nodes, volumes and names: what happens to instances from outside."""

from attrs import evolve

from memgraph_ha.core.commands import StopInstance
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.names import Address
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.core.topology import Member
from memgraph_ha.sim.world.cluster import Cluster
from tests.sim.world.setting import M0, M1, M2, whole


def _member(cluster: Cluster, name: str) -> Member:
    return next(member for member in cluster.members() if member.name == name)


def test_a_killed_process_comes_back_in_its_pod_with_its_volume_and_address() -> None:
    """Another run and another incarnation, at the same address."""
    cluster, _, _ = whole()
    before, run = _member(cluster, M2), cluster.world[M2].run_id
    cluster.kill(M2)
    assert _member(cluster, M2).incarnation is None
    cluster.world.run(1)
    after = _member(cluster, M2)
    assert after.bolt == before.bolt
    assert after.incarnation not in (None, before.incarnation)
    assert cluster.world[M2].run_id != run


def test_who_is_kept_down_stays_down() -> None:
    """Until it is let up."""
    cluster, _, _ = whole()
    cluster.keep_down(M2)
    cluster.world.run(5)
    assert not cluster.up(M2)
    cluster.let_up(M2)
    cluster.world.run(1)
    assert cluster.answers(M2)


def test_a_slow_start_takes_as_long_as_was_ordered() -> None:
    """Once: the next one is as quick as ever."""
    cluster, _, _ = whole()
    cluster.start_after(M2, 4)
    cluster.kill(M2)
    cluster.world.run(4)
    assert not cluster.answers(M2)
    cluster.world.run(2)
    assert cluster.answers(M2)
    cluster.kill(M2)
    cluster.world.run(1)
    assert cluster.answers(M2)


def test_a_deleted_pod_is_replaced_with_another_uid_and_address_on_the_same_volume() -> None:
    """By force: at once."""
    cluster, _, _ = whole(writers=1)
    before, held = _member(cluster, M2), cluster.ids(M2)
    cluster.delete_pod(M2, force=True)
    cluster.world.run(1)
    after = _member(cluster, M2)
    assert after.bolt != before.bolt
    assert str(after.incarnation).split("/")[0] != str(before.incarnation).split("/", maxsplit=1)[0]
    assert held
    assert held <= cluster.ids(M2)


def test_a_pod_deleted_with_grace_is_asked_about_first() -> None:
    """The preStop hook: MAIN's reign moves before its process ends."""
    cluster, _, _ = whole(writers=2)
    run = cluster.world[M0].run_id
    cluster.delete_pod(M0, grace_s=30)
    cluster.world.run_until(lambda: not cluster.up(M0) or cluster.world[M0].run_id != run, 31)
    assert cluster.store.history[-1].main == M1
    cluster.world.run(1)
    assert cluster.world[M1].is_main
    assert [change.kind for change in cluster.store.history[-1].history][1:] == [ChangeKind.SWITCHOVER]


def test_a_lost_node_takes_nobody_off_the_list_and_its_process_lives() -> None:
    """Nobody reaches it; a deleted pod's process is ended when the node returns."""
    cluster, leader, _ = whole()
    before, run = _member(cluster, M0), cluster.world[M0].run_id
    cluster.lose_node(M0)
    assert _member(cluster, M0) == before
    cluster.world.run(8)
    assert cluster.store.history[-1].main == M1
    assert cluster.world[M0].run_id == run
    assert cluster.world[M0].is_main
    assert _member(cluster, M0) == before  # a controller had its pod deleted: it stays Terminating (decision 0013)
    cluster.return_node(M0)
    cluster.world.run(2)
    assert cluster.world[M0].run_id != run
    assert leader.alive


def test_a_pod_that_is_deleted_by_force_is_forgotten_at_once() -> None:
    """The API waits for no kubelet then; the process lives until its node returns."""
    cluster, _, _ = whole()
    run = cluster.world[M2].run_id
    cluster.lose_node(M2)
    cluster.delete_pod(M2, force=True)
    assert _member(cluster, M2).incarnation is None
    assert cluster.world[M2].run_id == run
    cluster.return_node(M2)
    cluster.world.run(2)
    assert _member(cluster, M2).incarnation is not None
    assert cluster.world[M2].run_id != run


def test_a_stop_that_nobody_carries_out_is_unknown_when_it_is_asked_for_again() -> None:
    """The first is done: its pod is deleted. For ever after that only says that the node may be lost."""
    cluster, leader, _ = whole()
    cluster.lose_node(M2)
    incarnation = _member(cluster, M2).incarnation
    assert leader.decision is not None
    assert incarnation is not None
    stop = StopInstance(instance=M2, incarnation=incarnation, generation=1)
    decision = evolve(leader.decision, rule="F20", reason="it is stopped", commands=(stop,))
    ends = []
    for _ in range(2):
        leader.runner.run(decision, 0)
        cluster.world.run(0.1)
        ends += [each.outcome for each in leader.observed.attempts if each.kind is StopInstance]
    assert ends == [Outcome.DONE, Outcome.UNKNOWN]


def test_an_address_can_be_given_to_another_pod() -> None:
    """Who asks at the old address reaches somebody else."""
    cluster, _, _ = whole()
    old = _member(cluster, M0).bolt
    cluster.reuse_ip(M0, M2)
    cluster.world.run(1)
    host = cluster.platform.at_address(Address(old))
    assert host is not None
    assert host.name == M2
    assert _member(cluster, M0).bolt != old


def test_readiness_that_flaps_changes_nothing_that_matters() -> None:
    """The list comes again and again, and the reign goes on."""
    cluster, _, _ = whole(writers=1)
    cluster.flap(M0, 6, 1.0)
    cluster.world.run(8)
    assert len(cluster.store.history[-1].history) == 1


def test_instances_come_and_go_at_the_end_of_the_list() -> None:
    """3 to 5 to 2: every new one is attached, MAIN never changes."""
    cluster, _, _ = whole()
    cluster.scale(5)
    cluster.world.run(10)
    assert sorted(row.host for row in cluster.world[M0].rows.values()) == ["m1", "m2", "m3", "m4"]
    cluster.scale(2)
    cluster.world.run(90)
    assert cluster.names == (M0, M1)
    assert [row.host for row in cluster.world[M0].rows.values()] == ["m1"]
    assert cluster.store.history[-1].generation == 1


def test_a_cluster_may_begin_with_two_or_five() -> None:
    """Each becomes whole."""
    for count in (2, 5):
        cluster, _, _ = whole(instances=count)
        assert len(cluster.names) == count


def test_a_stale_name_leads_elsewhere_or_nowhere() -> None:
    """For connections that are made from then on."""
    cluster, _, _ = whole()
    cluster.dns(M2, M1)
    found = cluster.world.resolve(M2)
    assert found is not None
    assert found.name == M1
    cluster.dns(M2, None)
    assert cluster.world.resolve(M2) is None
    cluster.dns(M2, M2)
    found = cluster.world.resolve(M2)
    assert found is not None
    assert found.name == M2


def test_a_power_cut_loses_what_was_not_forced_to_the_platter() -> None:
    """With `--storage-wal-file-flush-every-n-tx=1` nothing, with more the tail (transcripts Q19)."""
    for count, loses in ((1, False), (1000, True)):
        cluster, _, _ = whole()
        cluster.flush_every(count)
        cluster.start_clients(1, 0.1)
        cluster.world.run(3)
        held = cluster.ids(M2)
        assert held
        cluster.calm = True
        cluster.platform.pods[M2].down = True
        cluster.power_cut(M2)
        assert (held <= cluster.stored(M2)) is not loses


def test_a_death_in_the_middle_of_a_commit_leaves_one_more_on_mains_volume() -> None:
    """Decided, and nobody told (transcripts Q9): the volume holds a write that the standby lacks, or a no-op."""
    found: set[int] = set()
    for wait_s in (0.0, 0.2, 0.4, 0.6):
        cluster, _, _ = whole(writers=2)
        cluster.world.run(wait_s)
        cluster.platform.pods[M0].down = True
        cluster.crash_in_commit(M0)
        cluster.world.run_until(lambda world=cluster: not world.up(M0), 10)  # type: ignore[misc]
        cluster.world.run(3)
        more = cluster.stored(M0) - cluster.ids(M1)
        assert len(more) <= 1
        assert more <= cluster.ledger.indeterminate
        found |= more
    assert found


def test_a_deaf_replica_answers_and_is_not_replicated_to() -> None:
    """Until its process is started again."""
    cluster, _, _ = whole()
    cluster.deafen(M2)
    assert not cluster.listens(M2)
    assert cluster.answers(M2)
    cluster.kill(M2)
    cluster.world.run(1)
    assert cluster.listens(M2)


def test_an_older_volume_can_be_put_back_and_a_volume_be_lost() -> None:
    """An image is what a snapshot of the machine keeps."""
    cluster, _, _ = whole(writers=1)
    image, early = cluster.image(M2), cluster.ids(M2)
    cluster.world.run(2)
    assert early < cluster.ids(M2)
    cluster.roll_back(M2, image)
    assert cluster.stored(M2) == early
    cluster.wipe(M2)
    assert cluster.stored(M2) == set()


def test_an_overloaded_main_is_not_failed_over_while_it_commits_quickly_enough() -> None:
    """Probes that are answered late, but in time."""
    cluster, _, _ = whole(writers=2)
    cluster.late[M0] = 0.3
    before = len(cluster.acks)
    cluster.world.run(5)
    assert cluster.store.history[-1].main == M0
    assert len(cluster.acks) > before + 20


def test_what_is_gone_can_be_named_in_vain() -> None:
    """Whoever makes histories need not know who is still there."""
    cluster, _, _ = whole()
    gone = M2
    cluster.scale(2)
    for verb in (
        cluster.kill,
        cluster.power_cut,
        cluster.restart,
        cluster.keep_down,
        cluster.let_up,
        cluster.freeze,
        cluster.thaw,
        cluster.wipe,
        cluster.delete_pod,
        cluster.lose_node,
        cluster.return_node,
        cluster.deafen,
        cluster.leave,
        cluster.join,
        cluster.crash_in_commit,
    ):
        verb(gone)
    cluster.start_after(gone, 1)
    cluster.reuse_ip(gone, M0)
    cluster.flap(gone, 2, 0.1)
    cluster.roll_back(gone, cluster.image(M0))
    cluster.world.run(1)
    assert cluster.names == (M0, M1)
