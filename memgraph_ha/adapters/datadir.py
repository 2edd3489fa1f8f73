"""The data directory of `memgraph-ha local`: what is where, whose it is, and errors that say the way out.

::

    cluster.json               what the cluster is
    record.json, lease.json    who is MAIN, and which controller leads (with a .lock file beside each)
    policy.toml, api-token     the operator's choices, and the secret for the HTTP API
    controllers/<pid>.json     the controllers that run on it
    instances/<name>/          data/, memgraph.log, init.cypherl, run.json (the process), start.lock,
                               aside/ (what a rebuild put aside)
    former/<name>-<date>/      the places of instances that are no members any more

All of it is private to the user (mode 0700).
"""

import contextlib
import errno
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from memgraph_ha.adapters.datadir_config import ClusterConfig, parse_config
from memgraph_ha.adapters.datadir_policy import dump_policy, parse_policy_file
from memgraph_ha.adapters.files_atomic import (
    AtomicFile,
    Clock,
    ForeignFileError,
    NothingChangedError,
    free_name,
    sync_directory,
    token_of,
    utc_stamp,
)
from memgraph_ha.adapters.json_fields import FieldError, read_object
from memgraph_ha.adapters.process_argv import InstanceSpec
from memgraph_ha.adapters.process_os import ProcessIdentity, alive, own_identity, read_identity
from memgraph_ha.core.names import InstanceName

_PRIVATE: Final = 0o700
_CLUSTER_FILE: Final = "cluster.json"
_WRITE_WITHIN_S: Final = 5.0
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32,}")
_TOKEN_BYTES: Final = 32


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

    @property
    def former(self) -> Path:
        """Where the places of former members are kept."""
        return self.path / "former"

    def specs(self) -> tuple[InstanceSpec, ...]:
        """Give all that is needed to run the instances, in ordinal order."""
        return tuple(
            InstanceSpec(
                name=each.name,
                ports=each.ports,
                place=self._places() / each.name,
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
            for place in (self._places(), spec.place, spec.data):
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

    def write_run(self, name: InstanceName, note: RunNote, *, durable: bool = False) -> None:
        """Keep what was started.

        Args:
            name: In whose place.
            note: What.
            durable: Also after a power cut; then no process lives that it could name, but whose data that is.

        Raises:
            OSError: It cannot be written.
        """
        path = self._run_file(name)
        fresh = path.with_name("run.json.new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(json.dumps({**note.process.to_json(), "argv": list(note.argv)}, indent=1))
            if durable:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
        if durable and not sync_directory(path.parent):
            raise OSError(errno.EIO, "could not be synced", str(path.parent))

    def forget_run(self, name: InstanceName) -> None:
        """Keep no longer what was started before, as far as the disk lets us."""
        with contextlib.suppress(OSError):
            self._run_file(name).unlink()

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

    def reread(self) -> "DataDir":
        """Read ``cluster.json`` again: another controller may have changed the members.

        Raises:
            DataDirError: It cannot be read, or makes no sense.
        """
        return open_data_dir(self.path)

    def rewritten(self, config: ClusterConfig) -> "DataDir":
        """Replace ``cluster.json``, unless it says something else than ours by now.

        Raises:
            DataDirError: It does, or it cannot be written.
        """
        file = self._atomic(_CLUSTER_FILE)
        with _told(file.path):
            present = file.read()
            same = present is not None and _config_of(present, file.path) == self.config
            expected = None if present is None else token_of(present)
            until_s = _boottime() + _WRITE_WITHIN_S
            if not same or not file.swap(config.to_bytes(), expected=expected, until_s=until_s).done:
                raise DataDirError(f"{file.path} was changed by somebody else just now; try again")
        return evolve(self, config=config)

    def is_member(self, name: InstanceName) -> bool:
        """Whether ``cluster.json`` names this instance now; if that cannot be told, whether it did."""
        try:
            config = self.reread().config
        except DataDirError:
            config = self.config
        return any(each.name == name for each in config.instances)

    def strays(self) -> tuple[Path, ...]:
        """List the places of instances that are no members: what a removal left that was cut off."""
        members = {each.name for each in self.config.instances}
        try:
            return tuple(sorted(place for place in self._places().iterdir() if place.name not in members))
        except OSError:  # there is none yet, or it is for a start to complain of
            return ()

    def put_away(self, place: Path) -> Path:
        """Move the place of a former member to where nobody takes it for a present one.

        Args:
            place: One of `strays`; nothing may run there.

        Returns:
            Where it is now.

        Raises:
            DataDirError: It cannot be moved.
        """
        with _told(place):
            self.former.mkdir(mode=_PRIVATE, exist_ok=True)
            return place.rename(free_name(self.former, f"{place.name}-{utc_stamp()}"))

    def token(self) -> str:
        """Give the secret that the HTTP API asks for, made once: 32 random bytes, url-safe, readable for us alone.

        Raises:
            DataDirError: It cannot be read or made, or somebody wrote something else there. Never shows the secret.
        """
        file = self._atomic("api-token")
        with _told(file.path):
            content = file.read()
            if content is None:
                made = secrets.token_urlsafe(_TOKEN_BYTES).encode() + b"\n"
                file.swap(made, expected=None, until_s=_boottime() + _WRITE_WITHIN_S)
                content = file.read() or b""
            file.path.chmod(0o600)
        text = content.decode("ascii", errors="replace").strip()
        if not _TOKEN.fullmatch(text):
            raise DataDirError(f"{file.path} holds no token of ours; remove it, and a new one is made")
        return text

    def save_policy(self, values: Mapping[str, object]) -> None:
        """Keep policy fields in ``policy.toml``, in place of those kept before, for the next controllers.

        Args:
            values: What differs from the defaults; allowed values only, which is for the caller to check.

        Raises:
            DataDirError: It cannot be written.
            FieldError: A value is of a kind that no policy field has.
        """
        file = self._atomic("policy.toml")
        with _told(file.path):
            file.put(dump_policy(values), until_s=_boottime() + _WRITE_WITHIN_S)

    def load_policy(self) -> dict[str, object]:
        """Read the policy fields kept in ``policy.toml``; empty if there are none.

        Raises:
            DataDirError: It cannot be read, or is not TOML.
        """
        file = self._atomic("policy.toml")
        try:
            with _told(file.path):
                content = file.read()
            return {} if content is None else parse_policy_file(content, str(file.path))
        except FieldError as error:
            raise DataDirError(str(error)) from None

    def _controllers(self) -> Path:
        return self.path / "controllers"

    def _run_file(self, name: InstanceName) -> Path:
        return self._places() / name / "run.json"

    def _places(self) -> Path:
        return self.path / "instances"

    def _atomic(self, name: str) -> AtomicFile:
        return AtomicFile(self.path / name, _boottime)


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
            file.swap(new().to_bytes(), expected=None, until_s=file.clock() + _WRITE_WITHIN_S)
            content = file.read()
    if content is None:
        raise DataDirError(f"{file.path} was removed while it was made; try again")
    return DataDir(path=place, config=_config_of(content, file.path))


def _config_of(content: bytes, path: Path) -> ClusterConfig:
    try:
        return parse_config(content, str(path))
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
