"""What `memgraph-ha set-aside` does to a volume, killed at any point, with markers of any kind."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from memgraph_ha.adapters.files_atomic import AtomicFile, sync_directory
from memgraph_ha.adapters.kubernetes.errors import ApiUnavailableError, ConflictError
from memgraph_ha.adapters.kubernetes.marker import Marker, Markers, MarkerStore
from memgraph_ha.core.names import Incarnation, InstanceName
from memgraph_ha.kube.set_aside import NotNowError, Volume, set_aside_if_ordered, why_not

OLD, NEW, NEWER = "uid-old", "uid-new", "uid-newer"
DB0 = InstanceName("db-0")
ORDER = Marker(id="0a1b", pod_uid=OLD, incarnation=Incarnation(f"{OLD}/1"), generation=4, at="2026-01-31", deleted=True)


class Killed(BaseException):
    """This process ended here."""


class PlainMarkers(MarkerStore):
    """Markers that live in this process, with the same compare-and-set."""

    def __init__(self, *orders: Marker, silent: int = 0) -> None:
        self.orders = {str(DB0): order for order in orders}
        self.version, self.silent = 1, silent
        self.conflict: Callable[[], None] | None = None

    async def read(self, *, timeout_s: float) -> Markers:
        """Read them, or be unavailable for the first few times."""
        assert timeout_s > 0
        if self.silent:
            self.silent -= 1
            raise ApiUnavailableError("get configmaps: no answer in time", sent=True)
        return Markers(version=str(self.version), orders=dict(self.orders))

    async def put(self, instance: InstanceName, marker: Marker | None, *, version: str | None, timeout_s: float) -> str:
        """Write one, if nobody else did."""
        assert timeout_s > 0
        if self.conflict is not None:
            change, self.conflict = self.conflict, None
            change()
            self.version += 1
        if version != str(self.version):
            raise ConflictError("another version")
        assert marker is not None
        self.orders[str(instance)] = marker
        self.version += 1
        return str(self.version)


def volume(tmp_path: Path, uid: str = NEW) -> Volume:
    """Give the volume as a pod sees it."""
    return Volume(data=tmp_path / "data", pod=DB0, uid=uid)


def fill(tmp_path: Path, *, last: str | None = OLD) -> None:
    """Store something there, as a pod that started there would have left it."""
    for name in ("wal", "snapshots", "auth"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "file").write_text(name)
    if last is not None:
        volume(tmp_path, last).start()


def stored(tmp_path: Path) -> list[str]:
    """List what Memgraph would find."""
    return sorted(path.name for path in (tmp_path / "data").iterdir() if path.name in ("wal", "snapshots", "auth"))


def aside(tmp_path: Path) -> list[str]:
    """List what was put aside."""
    return sorted(
        f"{path.relative_to(tmp_path / 'data').parts[0][-4:]}/{path.parent.name}"
        for path in (tmp_path / "data").glob("aside-*/*/file")
    )


async def run(tmp_path: Path, markers: MarkerStore, uid: str = NEW, patience_s: float = 5.0) -> list[str]:
    """Do what the init container of a pod does; give what it said."""
    said: list[str] = []
    await set_aside_if_ordered(volume(tmp_path, uid), markers, patience_s=patience_s, say=said.append, pause_s=0.01)
    return said


@pytest.mark.trio
async def test_an_order_is_carried_out(tmp_path: Path) -> None:
    """What holds the data set is moved, the rest stays, and the leader is told who did it."""
    fill(tmp_path)
    markers = PlainMarkers(ORDER)
    said = await run(tmp_path, markers)
    assert stored(tmp_path) == ["auth"]
    assert aside(tmp_path) == ["0a1b/snapshots", "0a1b/wal"]
    assert markers.orders[DB0].consumed_by == NEW
    assert volume(tmp_path).last() == NEW
    assert "for reign 4" in said[-1]


@pytest.mark.trio
@pytest.mark.parametrize(
    ("order", "last", "why"),
    [
        (None, OLD, "nothing is ordered"),
        (evolve(ORDER, deleted=False), OLD, "does not count"),
        (ORDER, "uid-between", "the last pod here was uid-between"),
        (ORDER, None, "the last pod here was unknown"),
        (evolve(ORDER, consumed_by="uid-x"), OLD, "was carried out by pod uid-x"),
        (evolve(ORDER, pod_uid=NEW), OLD, "is for the pod after this one"),
    ],
)
async def test_what_does_not_fit_moves_nothing(
    tmp_path: Path, order: Marker | None, last: str | None, why: str
) -> None:
    """To do nothing is safe, and the next order fits: this pod has noted that it started here."""
    fill(tmp_path, last=last)
    said = await run(tmp_path, PlainMarkers(*([] if order is None else [order])))
    assert stored(tmp_path) == ["auth", "snapshots", "wal"]
    assert aside(tmp_path) == []
    assert why in said[-1]
    await run(tmp_path, PlainMarkers(evolve(ORDER, id="ffff", pod_uid=NEW)), NEWER)
    assert aside(tmp_path) == ["ffff/snapshots", "ffff/wal"]


@pytest.mark.trio
async def test_a_pod_that_runs_its_init_container_again_asks_nobody(tmp_path: Path) -> None:
    """A node that rebooted while the API is away starts Memgraph on what it has."""
    fill(tmp_path, last=NEW)
    said = await run(tmp_path, PlainMarkers(ORDER, silent=1000))
    assert "started here before" in said[-1]
    assert stored(tmp_path) == ["auth", "snapshots", "wal"]


@pytest.mark.trio
async def test_the_first_start_on_an_empty_volume(tmp_path: Path) -> None:
    """The directory is made, so that the next pod knows who was here."""
    await run(tmp_path, PlainMarkers(), OLD)
    assert volume(tmp_path).last() == OLD


def _points(monkeypatch: pytest.MonkeyPatch, markers: PlainMarkers, at: int, *, after: bool) -> list[str]:
    """Have this process killed before or after the step of that number, from 1; gives the steps as they come."""
    steps: list[str] = []

    def step(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **options: Any) -> Any:
            steps.append(name)
            if len(steps) == at and not after:
                raise Killed
            result = work(*args, **options)
            if len(steps) == at:
                raise Killed
            return result

        return stepped

    monkeypatch.setattr(Path, "rename", step("rename", Path.rename))
    for module in ("memgraph_ha.kube.set_aside", "memgraph_ha.adapters.stored"):
        monkeypatch.setattr(f"{module}.sync_directory", step("sync", sync_directory))
    monkeypatch.setattr(AtomicFile, "put", step("note", AtomicFile.put))
    real = markers.put

    async def put(*args: Any, **options: Any) -> str:
        steps.append("marker")
        if len(steps) == at and not after:
            raise Killed
        result = await real(*args, **options)
        if len(steps) == at:
            raise Killed
        return result

    monkeypatch.setattr(markers, "put", put)
    return steps


@pytest.mark.trio
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("successor", [NEW, NEWER], ids=["same pod", "another pod"])
async def test_killed_at_any_point_it_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool, successor: str
) -> None:
    """Whoever comes next finishes, all of it goes to one place, and nothing that comes later is moved."""
    total, seconds = 0, itertools.count()
    monkeypatch.setattr("memgraph_ha.kube.set_aside.utc_stamp", lambda: f"20260131T{next(seconds):06d}Z")
    for at in itertools.count(1):
        place = tmp_path / str(at)
        fill(place)
        markers = PlainMarkers(ORDER)
        with pytest.MonkeyPatch.context() as patch:
            steps = _points(patch, markers, at, after=after)
            try:
                await run(place, markers)
            except Killed:
                pass
            else:
                total = len(steps)
                break
        await run(place, markers, successor)
        assert stored(place) == ["auth"], steps
        assert aside(place) == ["0a1b/snapshots", "0a1b/wal"], steps
        assert len(list((place / "data").glob("aside-*"))) == 1
        assert markers.orders[DB0].consumed_by in (NEW, successor)
        assert volume(place).last() == successor
        (place / "data" / "wal").mkdir()
        await run(place, markers, "uid-last")
        assert "wal" in stored(place), "what was written since stays"
    assert total >= 7, "every step was a point"


@pytest.mark.trio
async def test_another_marker_that_changes_meanwhile_is_no_obstacle(tmp_path: Path) -> None:
    """The ConfigMap holds the markers of all instances."""
    fill(tmp_path)
    markers = PlainMarkers(ORDER)
    markers.conflict = lambda: None
    await run(tmp_path, markers)
    assert markers.orders[DB0].consumed_by == NEW
    assert aside(tmp_path) == ["0a1b/snapshots", "0a1b/wal"]


@pytest.mark.trio
async def test_an_order_that_is_withdrawn_while_it_is_carried_out(tmp_path: Path) -> None:
    """The data is aside already, and says so; Memgraph starts with nothing, which its next replication fills."""
    fill(tmp_path)
    markers = PlainMarkers(ORDER)
    markers.conflict = markers.orders.clear
    said = await run(tmp_path, markers)
    assert "was withdrawn meanwhile" in said[-1]
    assert markers.orders == {}


@pytest.mark.trio
async def test_an_api_that_is_away_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    """It says for what, once."""
    fill(tmp_path)
    said = await run(tmp_path, PlainMarkers(ORDER, silent=5))
    assert aside(tmp_path) == ["0a1b/snapshots", "0a1b/wal"]
    assert len([line for line in said if "waiting for the API" in line]) == 1


@pytest.mark.trio
async def test_without_the_api_a_new_pod_does_not_start(tmp_path: Path) -> None:
    """An order that counts was promised to be carried out before Memgraph starts: it is not skipped."""
    fill(tmp_path)
    with pytest.raises(NotNowError, match="no answer in time"):
        await run(tmp_path, PlainMarkers(ORDER, silent=10_000), patience_s=0.1)
    assert volume(tmp_path).last() == OLD


@pytest.mark.trio
async def test_what_cannot_be_moved_keeps_memgraph_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half of the data must not be started on; the error names the directory and the order."""
    fill(tmp_path)

    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(NotNowError, match=r"cannot be moved aside: .*cross-device link; order 0a1b"):
        await run(tmp_path, PlainMarkers(ORDER))
    assert volume(tmp_path).last() == OLD


def test_a_note_that_makes_no_sense_fits_no_order(tmp_path: Path) -> None:
    """Whoever was here last is then unknown, and nothing is moved."""
    fill(tmp_path)
    (tmp_path / "data" / "memgraph-ha" / "last-pod.json").write_text("{")
    assert volume(tmp_path).last() is None
    assert why_not(ORDER, own=NEW, last=None) is not None
