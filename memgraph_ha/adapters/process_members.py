"""Which instances a cluster has: changing their number, and clearing away those that are members no more.

``cluster.json`` decides, and is written first; what lives or lies in ``instances/`` beside it is then a stray, which
is ended and put away by whoever comes next. So a change may be cut off between any two steps. Nothing is deleted, and
nothing that was put away comes back: an instance that is added again later starts empty.
"""

import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Final

import structlog
import trio

from memgraph_ha.adapters.datadir import DataDir, DataDirError
from memgraph_ha.adapters.files_atomic import Clock, NothingChangedError, locked
from memgraph_ha.adapters.json_fields import FieldError
from memgraph_ha.adapters.process_start import StartError, check_ports
from memgraph_ha.adapters.process_stop import end_processes, living_in
from memgraph_ha.core.names import InstanceName

_LOCK_WITHIN_S: Final = 5.0

_log = structlog.get_logger()


class MembersError(Exception):
    """The members cannot be changed so: names what is wrong, and the way out. Nothing was changed."""


@contextlib.asynccontextmanager
async def alone(datadir: DataDir, clock: Clock) -> AsyncIterator[None]:
    """Keep every other controller from changing the members meanwhile.

    Args:
        datadir: The cluster.
        clock: Seconds on CLOCK_BOOTTIME.

    Raises:
        MembersError: Another one does so and comes to no end.
    """
    lock = datadir.path / "members.lock"
    with contextlib.ExitStack() as stack:
        try:
            held = locked(lock, clock=clock, until_s=clock() + _LOCK_WITHIN_S)
            await trio.to_thread.run_sync(stack.enter_context, held)
        except (OSError, NothingChangedError) as error:
            raise MembersError(f"{error}; try again") from error
        yield


async def rewrite(datadir: DataDir, count: int, keep: Collection[InstanceName]) -> DataDir:
    """Write down another number of members; to be called `alone`, with no strays left.

    Args:
        datadir: The cluster as ``cluster.json`` says now.
        count: How many there shall be.
        keep: Who must stay.

    Returns:
        The cluster as it is from now on.

    Raises:
        MembersError: There may not be so many or so few, one to be removed must stay, or a port is busy.
    """
    try:
        config = datadir.config.resized(count)
        lost = {each.name for each in datadir.config.instances[count:]} & set(keep)
        if lost:
            raise MembersError(
                f"{count} instances: {', '.join(sorted(lost))} would be removed and is in use; "
                "switch over to another first, or change policy field eligible"
            )
        strays = datadir.strays()
        if strays and count > len(datadir.config.instances):
            raise MembersError(f"{strays[0]} is still in the way of a new instance; see controller.log, and try again")
        present = {each.name for each in datadir.specs()}
        check_ports(spec for spec in DataDir(path=datadir.path, config=config).specs() if spec.name not in present)
        return await trio.to_thread.run_sync(datadir.rewritten, config)
    except (DataDirError, FieldError, StartError) as error:
        raise MembersError(str(error)) from error


async def clear_strays(datadir: DataDir, grace_s: float) -> None:
    """End what runs in the places of former members, and put those places away; to be called `alone`.

    Error handling: what cannot be ended or moved is left for the next time, and logged.

    Args:
        datadir: The cluster as ``cluster.json`` says now.
        grace_s: Between SIGTERM and SIGKILL.
    """
    for place in datadir.strays():
        await end_processes(living_in(place), grace_s)
        left = living_in(place)
        if left:
            _log.warning("former member does not end", place=str(place), pids=[each.pid for each in left])
            continue
        try:
            where = await trio.to_thread.run_sync(datadir.put_away, place)
        except DataDirError as error:
            _log.warning("former member is not put away", place=str(place), error=str(error))
        else:
            _log.info("former member put away", place=str(place), into=str(where))
