"""What the tests of the platform share: a StatefulSet played on the real API server, a platform on it, volumes."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import trio
from attrs import define, field

from memgraph_ha.adapters.kubernetes.client import KubeClient, connect
from memgraph_ha.adapters.kubernetes.marker import MarkerStore
from memgraph_ha.adapters.kubernetes.platform import KubePlatform
from memgraph_ha.core.facts import Fact, MembersSeen
from memgraph_ha.core.names import Incarnation, InstanceName
from memgraph_ha.core.topology import Member
from memgraph_ha.kube.set_aside import Volume, set_aside_if_ordered
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.testing.contract import Sink
from tests.kube.api.pod_world import PodWorld, namespace_of_its_own

WITHIN_S = 20.0


def client_of(kubeconfig: Path, namespace: str) -> KubeClient:
    """Make a client."""
    return connect(kubeconfig, namespace=namespace, clock=boottime)


@define(eq=False)
class Rig:
    """A played StatefulSet, and what is needed to look at it.

    Attributes:
        kubeconfig: Of the API server.
        world: The StatefulSet and its pods.
        told: What the platform reported.
        volumes: The directory that holds one data directory per instance.
        said: What init containers said.
    """

    kubeconfig: Path
    world: PodWorld
    volumes: Path
    told: Sink = field(factory=Sink)
    said: list[str] = field(factory=list)

    def another_client(self) -> KubeClient:
        """Make another client for the same namespace."""
        return client_of(self.kubeconfig, self.world.client.namespace)

    def markers(self, client: KubeClient | None = None) -> MarkerStore:
        """Give the release's markers."""
        return MarkerStore(client or self.world.client, name="r-rebuild", labels={"app.kubernetes.io/instance": "r"})

    def platform(self, client: KubeClient | None = None, *, deadline_s: float = 5.0, watch_s: int = 20) -> KubePlatform:
        """Make a platform, as a controller has one."""
        return KubePlatform(
            client or self.world.client,
            statefulset=self.world.name,
            markers=self.markers(client),
            clock=boottime,
            deadline_s=deadline_s,
            watch_s=watch_s,
        )

    def data(self, name: str) -> Path:
        """Give the data directory of an instance."""
        return self.volumes / name

    def fill(self, name: str) -> None:
        """Give an instance something that is stored."""
        for part in ("wal", "snapshots"):
            place = self.data(name) / part
            place.mkdir(parents=True, exist_ok=True)
            (place / "file").write_text(part, encoding="utf-8")

    def aside(self, name: str) -> list[Path]:
        """List what was put aside of an instance."""
        return sorted(self.data(name).glob("aside-*"))

    async def init(self, name: str, uid: str) -> bool:
        """Run the real init container's work in a pod."""
        volume = Volume(data=self.data(name), pod=InstanceName(name), uid=uid)
        await set_aside_if_ordered(volume, self.markers(), patience_s=WITHIN_S, say=self.said.append)
        return True

    async def seen(self, that: Callable[[MembersSeen], bool], what: str, *, after: int = 0) -> MembersSeen:
        """Wait for a list of members, among those reported after so many facts."""
        return await self.told.due(MembersSeen, that, within_s=WITHIN_S, port="Platform", clause=what, after=after)

    async def until(self, that: Callable[[], object], what: str) -> None:
        """Wait until something is so."""
        with trio.move_on_after(WITHIN_S):
            while not that():  # noqa: ASYNC110 - files and the API tell nobody when they change
                await trio.sleep(0.02)
            return
        raise AssertionError(f"not within {WITHIN_S:g} s: {what}; init containers said {self.said}")

    async def all_up(self, count: int = 3) -> MembersSeen:
        """Wait until so many members are there, each with a process."""
        return await self.seen(
            lambda seen: len(seen.members) == count and all(member.incarnation for member in seen.members),
            f"{count} members run",
        )


@contextlib.asynccontextmanager
async def rig_on(kubeconfig: Path, volumes: Path, replicas: int = 3) -> AsyncIterator[Rig]:
    """Play a StatefulSet on an API server, in a namespace of its own.

    Args:
        kubeconfig: Of the API server.
        volumes: A directory for the data.
        replicas: How many pods are wanted.
    """
    async with namespace_of_its_own(lambda namespace: client_of(kubeconfig, namespace)) as client:
        world = PodWorld(client)
        rig = Rig(kubeconfig=kubeconfig, world=world, volumes=volumes)
        world.init = rig.init
        await world.create(replicas)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.play)
            yield rig
            nursery.cancel_scope.cancel()


def member(seen: MembersSeen, name: str) -> Member:
    """Find a member."""
    return next(each for each in seen.members if each.name == name)


def life(seen: MembersSeen, name: str) -> Incarnation:
    """Give a member's process."""
    found = member(seen, name).incarnation
    assert found is not None
    return found


def last(facts: list[Fact]) -> MembersSeen:
    """Give the last list of members."""
    return [fact for fact in facts if isinstance(fact, MembersSeen)][-1]
