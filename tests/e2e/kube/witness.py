"""Somebody who looks at a release all the time, past its controllers, and notes what nobody must ever see."""

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import trio
from attrs import frozen

from memgraph_ha.adapters.memgraph.connection import BoltConnection, ConnectionLostError, QueryRefusedError
from memgraph_ha.adapters.memgraph.reading import read_role, read_storage
from memgraph_ha.core.names import Address, InstanceName, RunId
from memgraph_ha.core.record import Record
from memgraph_ha.core.topology import Role
from tests.e2e.kube.pods import Pod
from tools.kube.errors import ClusterError

_BOLT: Final = 7687
_LOOK_EVERY_S: Final = 0.5
_ANSWER_S: Final = 1.0
_ENDED_S: Final = 60.0
_THREADS: Final = 20
_LOOKS: Final = 3
_PLAIN_QUESTION: Final = "3.6.0"
"""The form of the question for storage that every version takes (`read_storage`)."""


class Watched(Protocol):
    """What is looked at: a release."""

    def pods(self, component: str | None = None) -> list[Pod]:
        """List its pods."""

    def record(self) -> Record | None:
        """Read its record."""


@frozen(kw_only=True)
class MainSeen:
    """A process that said that it is MAIN, and how much it held."""

    run: RunId
    objects: int


class Witness:
    """Looks twice a second at the record and at every instance.

    What must never be seen:

    * two instances that are both MAIN for three looks and both take writes between the last two: all writes come
      through the gateways, so these would lead to two MAINs (scenarios, S2). That an old MAIN that comes back says for
      a moment that it is MAIN is no fault, for nobody is led to it; and what one took at a look before the other was
      promoted is none either, hence three looks.
    * two records of one generation with different MAINs, or a record that is older than one that was there before.
    * a MAIN that is its own standby.

    Resource handling: `start` starts a thread, `stop` ends it.

    Args:
        release: Whose instances and whose record.
    """

    def __init__(self, release: Watched) -> None:
        self.complaints: list[str] = []
        self._release = release
        self._mains: dict[int, InstanceName] = {}
        self._pods: Sequence[Pod] = ()
        self._looks: deque[Mapping[str, MainSeen]] = deque(maxlen=_LOOKS)
        self._reading = threading.Lock()
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._halt.set()
        self._thread.join(_ENDED_S)

    def assert_nothing(self) -> None:
        """Fail the test if something was seen that must not be, or if nobody looked."""
        assert self._thread.is_alive() or self._halt.is_set(), "the witness broke off"
        assert not self.complaints, self.complaints[:10]

    @contextmanager
    def looking_away(self) -> Iterator[None]:
        """Read no record while the block runs, and expect another one afterwards: the test itself changes it."""
        with self._reading:
            yield
            self._mains.clear()

    def _watch(self) -> None:
        while not self._halt.wait(_LOOK_EVERY_S):
            try:
                self._pods = [pod for pod in self._release.pods("memgraph") if pod.address]
                with self._reading:
                    self._read(self._release.record())
            except ClusterError:
                pass  # the API server is away: the instances that were there last are looked at
            self._looks.append(trio.run(_ask_all, self._pods))
            writing = two_writing(self._looks)
            if writing:
                self.complaints.append(f"{' and '.join(writing)} were MAIN at once and took writes")

    def _read(self, record: Record | None) -> None:
        if record is None:
            return
        newest = max(self._mains, default=0)
        main = self._mains.setdefault(record.generation, record.main)
        if record.generation < newest:
            self.complaints.append(f"the record went back from generation {newest} to {record.generation}")
        if main != record.main:
            self.complaints.append(f"generation {record.generation} has two MAINs: {main} and {record.main}")
        if record.standby is not None and record.standby.instance == record.main:
            self.complaints.append(f"generation {record.generation}: {record.main} is its own standby")


def two_writing(looks: Sequence[Mapping[str, MainSeen]]) -> tuple[str, ...]:
    """Name the instances that were MAIN at every look and grew between the last two, if there are at least two."""
    if len(looks) < _LOOKS:
        return ()
    *_, before, last = looks
    writing = tuple(
        name
        for name, main in last.items()
        if all(name in look and look[name].run == main.run for look in looks) and main.objects > before[name].objects
    )
    return writing if len(writing) > 1 else ()


async def _ask_all(pods: Sequence[Pod]) -> dict[str, MainSeen]:
    found: dict[str, MainSeen] = {}
    async with trio.open_nursery() as nursery:
        for pod in pods:
            nursery.start_soon(_ask, InstanceName(pod.name), Address(f"{pod.address}:{_BOLT}"), found)
    return found


async def _ask(name: InstanceName, address: Address, found: dict[str, MainSeen]) -> None:
    """Note an instance that is MAIN; one that does not answer at once is none."""
    connection = BoltConnection(address, auth=None, limiter=trio.CapacityLimiter(_THREADS), undelivered_s=_ANSWER_S)
    try:
        with trio.move_on_after(_ANSWER_S):
            await connection.open()
            if (await read_role(connection, name, time.monotonic)).role is Role.MAIN:
                storage = await read_storage(connection, name, time.monotonic, version=_PLAIN_QUESTION)
                found[name] = MainSeen(run=storage.run, objects=storage.objects)
    except (ConnectionLostError, QueryRefusedError):
        pass
    finally:
        connection.close()
