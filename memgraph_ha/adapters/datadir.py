"""The data directory of `memgraph-ha local`: what is where, whose it is, and errors that say the way out.

::

    cluster.json               what the cluster is; made once
    record.json, lease.json    who is MAIN, and which controller leads (with a .lock file beside each)
    controllers/<pid>.json     the controllers that run on it
    instances/<name>/          data/, memgraph.log, init.cypherl, run.json (the process), start.lock

All of it is private to the user (mode 0700).
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

from memgraph_ha.adapters.datadir_config import ClusterConfig, parse_config
from memgraph_ha.adapters.files_atomic import AtomicFile, Clock, ForeignFileError, NothingChangedError
from memgraph_ha.adapters.json_fields import FieldError, read_object
from memgraph_ha.adapters.process_argv import InstanceSpec
from memgraph_ha.adapters.process_os import ProcessIdentity, alive, own_identity, read_identity
from memgraph_ha.core.names import InstanceName

_PRIVATE: Final = 0o700
_CLUSTER_FILE: Final = "cluster.json"
_CREATE_WITHIN_S: Final = 5.0


class DataDirError(Exception):
    """A data directory cannot be used: names the path, what is wrong and the way out."""


@frozen(kw_only=True)
class RunNote:
    """What was started in an instance's place.

    Attributes:
        process: The process.
        argv: The command line that it was started with.
    """

    process: ProcessIdentity
    argv: tuple[str, ...]


@frozen(kw_only=True)
class DataDir:
    """An opened data directory.

    Attributes:
        path: Where, absolute and without symbolic links.
        config: What ``cluster.json`` says.
    """

    path: Path
    config: ClusterConfig

    @property
    def record(self) -> Path:
        """The record's file, for `FileRecordStore`."""
        return self.path / "record.json"

    @property
    def lease(self) -> Path:
        """The lease's file, for `FileLease`."""
        return self.path / "lease.json"

    def specs(self) -> tuple[InstanceSpec, ...]:
        """Give all that is needed to run the instances, in ordinal order."""
        return tuple(
            InstanceSpec(
                name=each.name,
                ports=each.ports,
                place=self.path / "instances" / each.name,
                arguments=self.config.arguments,
            )
            for each in self.config.instances
        )

    def prepare(self, spec: InstanceSpec) -> None:
        """Make an instance's directories and its init file, as they must be before every start.

        Raises:
            DataDirError: They cannot be made, or belong to another user (Memgraph then refuses to start).
        """
        with _told(spec.place):
            for place in (self.path / "instances", spec.place, spec.data):
                place.mkdir(mode=_PRIVATE, exist_ok=True)
            if not spec.init_file.exists() or spec.init_file.read_bytes() != spec.init_text().encode():
                spec.init_file.write_text(spec.init_text(), encoding="ascii")
        owner = spec.data.stat().st_uid
        if owner != os.geteuid():
            raise DataDirError(
                f"{spec.data} belongs to user {owner}, and this is user {os.geteuid()}; run as that user, or chown it"
            )

    def read_run(self, name: InstanceName) -> RunNote | None:
        """Read what was started last in an instance's place; None if nothing, or nothing that makes sense."""
        path = self._run_file(name)
        try:
            fields = read_object(path.read_bytes(), str(path))
            return RunNote(process=read_identity(fields), argv=fields.texts("argv"))
        except (OSError, FieldError):
            return None

    def write_run(self, name: InstanceName, note: RunNote) -> None:
        """Keep what was started. Not synced: after a power cut no process lives that it could name.

        Raises:
            OSError: It cannot be written.
        """
        path = self._run_file(name)
        fresh = path.with_name("run.json.new")
        fresh.write_text(json.dumps({**note.process.to_json(), "argv": list(note.argv)}, indent=1), encoding="utf-8")
        fresh.replace(path)

    @contextlib.contextmanager
    def enlisted(self) -> Iterator[None]:
        """Be listed as a controller of this cluster, so that ``local --stop`` finds it and others see it.

        Raises:
            DataDirError: The list cannot be written.
        """
        path = self._controllers() / f"{os.getpid()}.json"
        with _told(path):
            path.parent.mkdir(mode=_PRIVATE, exist_ok=True)
            path.write_text(json.dumps(own_identity().to_json()), encoding="ascii")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def controllers(self) -> tuple[ProcessIdentity, ...]:
        """List the controllers that live now, this process included if it is enlisted."""
        found: list[ProcessIdentity] = []
        for path in sorted(self._controllers().glob("*.json")):
            try:
                identity = read_identity(read_object(path.read_bytes(), str(path)))
            except (OSError, FieldError):
                continue
            if alive(identity):
                found.append(identity)
        return tuple(found)

    def _controllers(self) -> Path:
        return self.path / "controllers"

    def _run_file(self, name: InstanceName) -> Path:
        return self.path / "instances" / name / "run.json"


def open_data_dir(path: Path, *, new: Callable[[], ClusterConfig] | None = None, clock: Clock | None = None) -> DataDir:
    """Open a data directory, or make one.

    Args:
        path: Where.
        new: Makes the cluster's description if there is none yet; None: there must be one. If several processes make
            one at the same time, the first wins and the others get its.
        clock: Seconds on CLOCK_BOOTTIME; None for the machine's.

    Raises:
        DataDirError: It is a file, not writable, not empty and not ours, of a newer version, or makes no sense.
    """
    with _told(path):
        place = path.expanduser().resolve()
        file = AtomicFile(place / _CLUSTER_FILE, clock or _boottime)
        content = file.read() if _look_at(place, create=new is not None) else None
        if content is None:
            if new is None:
                raise DataDirError(f"there is no cluster in {place}; `memgraph-ha local --data {place}` makes one")
            file.swap(new().to_bytes(), expected=None, until_s=file.clock() + _CREATE_WITHIN_S)
            content = file.read()
    if content is None:
        raise DataDirError(f"{file.path} was removed while it was made; try again")
    try:
        return DataDir(path=place, config=parse_config(content, str(file.path)))
    except FieldError as error:
        raise DataDirError(f"{error}; repair it, or use another directory with --data") from None


def _look_at(place: Path, *, create: bool) -> bool:
    """Make the directory if need be and allowed, and check that it can be ours. False if it is not there.

    Raises:
        DataDirError: It is a file, not writable, or not empty and not ours.
    """
    if place.exists() and not place.is_dir():
        raise DataDirError(f"{place} is a file, not a directory; give another with --data")
    if not place.exists():
        if create:
            place.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        return create
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise DataDirError(f"{place} is not writable for user {os.geteuid()}; chown it, or give another with --data")
    names = {entry.name for entry in place.iterdir()}
    if _CLUSTER_FILE not in names:
        # What another process leaves for a moment while it makes the same directory is ours.
        foreign = sorted(name for name in names if not name.lstrip(".").startswith(_CLUSTER_FILE))
        if foreign:
            raise DataDirError(
                f"{place} is not empty and holds no cluster of memgraph-ha (it holds {foreign[0]!r}); "
                "give an empty or a new directory with --data"
            )
        place.chmod(_PRIVATE)
    return True


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what the operating system says into an error that names the path and the way out."""
    try:
        yield
    except OSError as error:
        raise DataDirError(
            f"{error.filename or path}: {error.strerror or error}; make room or mend it, "
            "or give another directory with --data"
        ) from error
    except (ForeignFileError, NothingChangedError) as error:
        raise DataDirError(f"{error}; or give another directory with --data") from error


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
