"""An observer says what would be done, once, and does nothing."""

from pathlib import Path

import pytest
import trio
from attrs import evolve

from memgraph_ha.core import Fact, Policy, Route, decide
from memgraph_ha.core.commands import StopInstance
from memgraph_ha.core.facts import GateSeen, LeaseSeen, MembersSeen, Outcome
from memgraph_ha.core.names import Incarnation
from memgraph_ha.local.cluster import open_cluster
from memgraph_ha.local.observing import Listing, assemble_observer
from memgraph_ha.local.options import LocalOptions
from memgraph_ha.runtime.observing import PretendedGateway, PretendedLease, PretendedPlatform, Teller
from tests.api.rig import until
from tests.core.changes import no_noop, refuses, unnamed_for
from tests.core.places import M0
from tests.core.views import HEALTHY


def told_of(*scenes: object) -> list[str]:
    """Show views to a teller; gives what it says, without the time."""
    said: list[str] = []
    teller = Teller(said.append)
    for view in (HEALTHY.view, HEALTHY.view, *scenes):
        teller.show(view, decide(view))  # type: ignore[arg-type]  # they are views
    return [line.split(" ", 1)[1] for line in said]


def test_each_decision_is_said_once() -> None:
    """The standing, what would be done, and what would be waited for: each when it is new."""
    lost = HEALTHY.but(refuses(M0)).view
    told = told_of(lost, lost)
    assert [line.split(":")[0] for line in told] == ["reign 4", "would wait"]
    assert "[Looking] MAIN is lost" in told[1]


def test_what_would_be_done_is_said_with_its_rule() -> None:
    """The command, of whom, and why."""
    view = HEALTHY.but(unnamed_for(1.0)).view
    decision = decide(view)
    assert decision.commands
    last = told_of(view, view)[-1]
    assert last.startswith(f"would: {type(decision.commands[0]).__name__} ")
    assert last.endswith(f"({decision.rule} {decision.name}: {decision.reason})")


def test_the_leaders_first_commit_is_believed() -> None:
    """Else an observer would say for ever that it wants to make it, and nothing of what comes after."""
    view = HEALTHY.but(no_noop).view
    assert decide(view).rule == "O30"
    assert not [line for line in told_of(view) if "would: CommitNoop" in line]


def test_nothing_is_said_before_there_is_something_to_judge_by() -> None:
    """A view without members or record makes every rule say that it knows nothing."""
    assert len(told_of(evolve(HEALTHY, members_known=False).view, evolve(HEALTHY, record_was_read=False).view)) == 1


@pytest.mark.trio
async def test_the_hands_only_pretend(tmp_path: Path) -> None:
    """The lease is reported and no file is written; processes are listed and none is touched; no port is opened."""
    datadir = open_cluster(LocalOptions(data=tmp_path / "data"))
    before = {path: path.stat().st_mtime_ns for path in datadir.path.rglob("*")}
    facts: list[Fact] = []
    platform, gateway = PretendedPlatform(Listing(datadir)), PretendedGateway()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(PretendedLease(Policy()).campaign, facts.append)
        nursery.start_soon(platform.watch, facts.append)
        await nursery.start(gateway.serve, facts.append)
        permit = HEALTHY.gate
        gateway.apply(Route(permit=permit, hold=False, why="of the test"))
        gateway.cut_open()
        await until(lambda: any(isinstance(fact, MembersSeen) for fact in facts))
        ended = await platform.stop(StopInstance(instance=M0, incarnation=Incarnation("1"), generation=4))
        nursery.cancel_scope.cancel()
    assert ended.outcome is Outcome.REFUSED
    assert [fact.permit for fact in facts if isinstance(fact, GateSeen)] == [None, permit]
    assert all(fact.leading and fact.clean for fact in facts if isinstance(fact, LeaseSeen))
    (members,) = [fact.members for fact in facts if isinstance(fact, MembersSeen)]
    assert [(member.name, member.incarnation) for member in members] == [(spec.name, None) for spec in datadir.specs()]
    assert {path: path.stat().st_mtime_ns for path in datadir.path.rglob("*")} == before


@pytest.mark.trio
async def test_an_observer_leaves_a_directory_as_it_is(tmp_path: Path) -> None:
    """It would begin the empty cluster, and does not."""
    datadir = open_cluster(LocalOptions(data=tmp_path / "data"))
    rules: list[str] = []
    before = sorted(path.name for path in datadir.path.iterdir())
    observer = assemble_observer(datadir, Policy(), None, lambda _view, decision: rules.append(decision.rule))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.run)
        await until(lambda: "B30" in rules)
        nursery.cancel_scope.cancel()
    assert sorted(path.name for path in datadir.path.iterdir()) == before
