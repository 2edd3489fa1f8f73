"""Putting aside what an instance stored, so that it starts with nothing: begun once, finished by whoever comes next.

All of it under the instance's start lock, so that nobody starts the instance meanwhile:

1. An order is written beside the data (``rebuild.json``: which incarnation, for which reign, into which directory).
2. That incarnation is ended.
3. What it stored is renamed into ``aside/<date>-gen<generation>/``.
4. The order itself is renamed into the same place, which ends it.

Whoever starts the instance finishes an order first, so a controller may be killed between any two steps. An order for
a process that still lives, or that another one came after, is withdrawn: what is there may have been wanted since.
Nothing is ever deleted.
"""

import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Final

import structlog
from attrs import frozen

from memgraph_ha.adapters.datadir import DataDirError
from memgraph_ha.adapters.files_atomic import AtomicFile, Clock, ForeignFileError, free_name, sync_directory, utc_stamp
from memgraph_ha.adapters.json_fields import FieldError, read_object
from memgraph_ha.adapters.ports_in_use import lock_holder
from memgraph_ha.adapters.process_argv import InstanceSpec
from memgraph_ha.adapters.process_os import find_by_argument
from memgraph_ha.adapters.stored import STORED, move_stored
from memgraph_ha.core.names import Incarnation

ASIDE: Final = "aside"
"""Directory of an instance's place in which that is kept."""

_ORDER_FILE: Final = "rebuild.json"
_WRITE_WITHIN_S: Final = 2.0

_log = structlog.get_logger()


@frozen(kw_only=True)
class Kept:
    """What is kept for a human to look at or to delete.

    Attributes:
        count: How many directories.
        bytes: How much is in their files.
    """

    count: int
    bytes: int


@frozen(kw_only=True)
class _Order:
    """What ``rebuild.json`` says.

    Attributes:
        incarnation: Whose data it is.
        generation: The reign that it was for.
        into: Name of the directory in ``aside``.
    """

    incarnation: Incarnation
    generation: int
    into: str

    def to_bytes(self) -> bytes:
        known = {"incarnation": self.incarnation, "generation": self.generation, "into": self.into}
        return json.dumps(known, indent=1).encode() + b"\n"


class Rebuild:
    """The rebuilding of one instance. Every method blocks for as long as the disk takes.

    Args:
        spec: The instance.
        clock: Seconds on CLOCK_BOOTTIME.
    """

    def __init__(self, spec: InstanceSpec, clock: Clock) -> None:
        self._spec = spec
        self._clock = clock
        self._aside = spec.place / ASIDE
        self._file = AtomicFile(spec.place / _ORDER_FILE, clock)

    def order(self, incarnation: Incarnation, generation: int) -> None:
        """Write down that the data of an incarnation is to be put aside, and make the place for it.

        Raises:
            OSError: The disk does not take it, or cannot move it (parts are on other disks); nothing was ordered.
            NothingChangedError: The disk gave no answer in time.
            DataDirError: There is an order that makes no sense.
        """
        self._aside.mkdir(mode=0o700, exist_ok=True)
        self._check_movable()
        into = self._make_place(generation)
        try:
            self._write(_Order(incarnation=incarnation, generation=generation, into=into.name))
        except BaseException:
            into.rmdir()
            raise

    def finish(self, last: Incarnation | None) -> str:
        """Put aside what was ordered to be; to be called while no process lives there.

        Args:
            last: Who ran here last. An order that names another is withdrawn.

        Returns:
            What was done, as a sentence; empty if nothing was ordered.

        Raises:
            OSError: It could not be finished; the instance must not be started on what is left.
            DataDirError: There is an order that makes no sense; likewise.
        """
        order = self._read()
        if order is None:
            return ""
        if order.incarnation != last:
            self.withdraw()
            return ""
        into = self._aside / order.into
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        move_stored(self._spec.data, into)
        self._file.path.replace(into / _ORDER_FILE)
        sync_directory(self._spec.place)
        moved = [name for name in STORED if os.path.lexists(into / name)]  # also what an earlier controller moved
        return f"{', '.join(moved) or 'nothing'} put aside into {into}, for reign {order.generation}"

    def is_ordered(self) -> bool:
        """Whether there is an order that was not finished."""
        return self._file.path.exists()

    def withdraw(self) -> None:
        """Take back an order, if there is one: nothing is moved.

        Raises:
            OSError: It cannot be taken back.
        """
        if not self.is_ordered():
            return
        _log.warning("rebuild.withdrawn", instance=self._spec.name, hint="it is ordered again if it is still right")
        with contextlib.suppress(OSError, DataDirError):
            order = self._read()
            if order is not None:
                (self._aside / order.into).rmdir()  # only if it is empty
        self._file.path.unlink()

    def was_done(self, incarnation: Incarnation) -> bool:
        """Whether the data of this incarnation was put aside."""
        for path in self._aside.glob(f"*/{_ORDER_FILE}"):
            try:
                if _parse(path.read_bytes(), str(path)).incarnation == incarnation:
                    return True
            except (OSError, FieldError):
                continue
        return False

    def is_free(self) -> bool:
        """Whether no process uses the data directory, as far as this user can see."""
        return not find_by_argument(self._spec.data_argument) and lock_holder(self._spec.data / ".lock") is None

    def kept(self) -> Kept:
        """Measure what was put aside."""
        return measure(self._aside)

    def _check_movable(self) -> None:
        device = self._aside.stat().st_dev
        for name in STORED:
            part = self._spec.data / name
            if os.path.lexists(part) and part.lstat().st_dev != device:
                raise OSError(errno.EXDEV, f"is on another disk than {self._aside} and cannot be renamed", str(part))

    def _write(self, order: _Order) -> None:
        try:
            durable = self._file.put(order.to_bytes(), until_s=self._clock() + _WRITE_WITHIN_S)
        except ForeignFileError as error:
            raise DataDirError(str(error)) from error
        if not durable:
            raise OSError(errno.EIO, "could not be synced", str(self._spec.place))

    def _make_place(self, generation: int) -> Path:
        place = free_name(self._aside, f"{utc_stamp()}-gen{generation}")
        place.mkdir(mode=0o700)
        return place

    def _read(self) -> _Order | None:
        try:
            content = self._file.read()
            return None if content is None else _parse(content, str(self._file.path))
        except (ForeignFileError, FieldError) as error:
            raise DataDirError(
                f"{error}; look whether {self._spec.data} is whole, then remove {self._file.path}"
            ) from error


def measure(place: Path) -> Kept:
    """Count the directories in a place that hold anything, and the bytes in all their files.

    Args:
        place: Where; what cannot be seen counts as nothing.
    """
    count = total = 0
    for folder, inner, files in os.walk(place):
        count += Path(folder).parent == place and bool(inner or files)
        for name in files:
            try:
                total += Path(folder, name).lstat().st_size
            except OSError:
                continue
    return Kept(count=count, bytes=total)


def _parse(content: bytes, where: str) -> _Order:
    fields = read_object(content, where)
    into = fields.text("into")
    if Path(into).name != into:
        raise fields.wrong("into", "the name of a directory")
    return _Order(
        incarnation=Incarnation(fields.text("incarnation")), generation=fields.integer("generation", 0), into=into
    )
