"""The command `memgraph-ha set-aside`: what an instance's pod does before Memgraph starts in it.

It puts aside what an earlier pod stored, if the leader ordered that (memgraph_ha.adapters.kubernetes.marker), and
otherwise touches nothing. To do nothing is always safe: the rebuild is ordered again. So an order is obeyed only if
everything fits: the API accepted the deletion of the pod that it is for, and that pod was the last that started on
this volume, as a note beside the data says. Killed at any point and started again, it goes on where it was.
"""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import trio
from attrs import evolve, field, frozen

from memgraph_ha.adapters.files_atomic import (
    AtomicFile,
    Clock,
    ForeignFileError,
    NothingChangedError,
    sync_directory,
    utc_stamp,
)
from memgraph_ha.adapters.json_fields import FieldError, read_object
from memgraph_ha.adapters.kubernetes.client import connect, own_namespace
from memgraph_ha.adapters.kubernetes.errors import ApiError, ConflictError, KubeConfigError
from memgraph_ha.adapters.kubernetes.marker import Marker, MarkerStore
from memgraph_ha.adapters.stored import move_stored
from memgraph_ha.core.names import InstanceName
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.runtime.usage import UsageError, usage_errors

_CALL_S: Final = 5.0
_PAUSE_S: Final = 1.0
_REPEAT_S: Final = 10.0
"""How often a trouble that goes on is told again."""

_WRITE_WITHIN_S: Final = 10.0

Say = Callable[[str], None]
"""Where sentences for people go."""


class NotNowError(Exception):
    """Memgraph must not start on this volume now; the kubelet tries again. Names what is wrong, and the way out."""


@frozen(kw_only=True)
class Volume:
    """An instance's data directory, seen from one of its pods.

    Beside the data stands ``memgraph-ha/last-pod.json``: which pod started here last. What is put aside goes to
    ``aside-<date>-<id of the order>``, on the same disk, and is never deleted.

    Attributes:
        data: Memgraph's data directory.
        pod: The pod's name, which is the instance's.
        uid: The pod's UID.
        clock: Seconds on CLOCK_BOOTTIME.
    """

    data: Path
    pod: InstanceName
    uid: str
    clock: Clock = field(default=boottime, repr=False)

    def last(self) -> str | None:
        """Give the UID of the pod that started here last; None if that is not known."""
        try:
            content = self._note().read()
            return None if content is None else read_object(content, str(self._note().path)).text("uid")
        except (FileNotFoundError, FieldError, ForeignFileError):
            return None  # then no order fits, and nothing is moved

    def start(self) -> None:
        """Note that this pod starts here now.

        Raises:
            NotNowError: The disk does not take it.
        """
        note = self._note()
        content = json.dumps({"pod": self.pod, "uid": self.uid, "at": utc_stamp()}).encode() + b"\n"
        try:
            note.path.parent.mkdir(parents=True, exist_ok=True)
            durable = note.put(content, until_s=self.clock() + _WRITE_WITHIN_S)
        except (OSError, ForeignFileError, NothingChangedError) as error:
            raise NotNowError(
                f"{note.path} cannot be written: {error}; whose data this is would not be known"
            ) from error
        if not durable or not sync_directory(self.data):
            raise NotNowError(f"{note.path} cannot be made durable; look at the disk of {self.data}")

    def put_aside(self, order: Marker) -> Path:
        """Move what is stored here; also the rest, if an earlier try was cut off.

        Returns:
            Where it is now.

        Raises:
            NotNowError: It cannot be moved. Memgraph must not start on a part of it.
        """
        try:
            begun = sorted(self.data.glob(f"aside-*-{order.id}"))
            into = begun[0] if begun else self.data / f"aside-{utc_stamp()}-{order.id}"
            into.mkdir(mode=0o700, exist_ok=True)
            move_stored(self.data, into)
        except OSError as error:
            raise NotNowError(f"what {self.data} holds cannot be moved aside: {error}; order {order.id}") from error
        return into

    def _note(self) -> AtomicFile:
        return AtomicFile(self.data / "memgraph-ha" / "last-pod.json", self.clock)


def why_not(order: Marker | None, *, own: str, last: str | None) -> str | None:
    """Say why an order is not to be carried out by this pod; None if it is.

    Args:
        order: What the marker says; None if there is none.
        own: This pod's UID.
        last: The UID of the pod that started on this volume last, if that is known.
    """
    if order is None:
        return "nothing is ordered"
    if order.consumed_by:
        return f"order {order.id} was carried out by pod {order.consumed_by}"
    if order.pod_uid == own:
        return f"order {order.id} is for the pod after this one"
    if not order.deleted:
        return f"order {order.id} does not count: nobody saw the end of pod {order.pod_uid} accepted"
    if order.pod_uid != last:
        return f"order {order.id} is for the data of pod {order.pod_uid}, but the last pod here was {last or 'unknown'}"
    return None


async def set_aside_if_ordered(
    volume: Volume, markers: MarkerStore, *, patience_s: float, say: Say, pause_s: float = _PAUSE_S
) -> None:
    """Carry out an order, if there is one for this pod, say so to the leader, and note that this pod starts.

    Args:
        volume: Where.
        markers: The orders.
        patience_s: How long the API may be silent, seconds.
        say: Told what is done and what is waited for.
        pause_s: Between two tries, seconds.

    Raises:
        NotNowError: Memgraph must not start now.
    """
    last = volume.last()
    if last == volume.uid:
        say("this pod started here before: no order can be for it")
        return
    waiting = _Waiting(until_s=volume.clock() + patience_s, pause_s=pause_s, say=say, clock=volume.clock)
    moved: str | None = None
    while True:
        try:
            read = await markers.read(timeout_s=_CALL_S)
            for strange in read.strange:
                say(f"{strange}; it is not obeyed")
            order = read.orders.get(volume.pod)
            why = why_not(order, own=volume.uid, last=last)
            if order is None or why is not None:
                if moved is None or order is None or order.consumed_by != volume.uid:
                    say(f"nothing is moved: {why}" if moved is None else f"order {moved} was withdrawn meanwhile")
                break
            into, moved = volume.put_aside(order), order.id
            done = evolve(order, consumed_by=volume.uid)
            await markers.put(volume.pod, done, version=read.version, timeout_s=_CALL_S)
        except ConflictError:
            continue
        except ApiError as error:
            await waiting.rest(error)
        else:
            say(f"put aside into {into}, by order {order.id} for reign {order.generation}")
            break
    volume.start()


class _Waiting:
    """Waits for the API, and says for what, but not too often."""

    def __init__(self, *, until_s: float, pause_s: float, say: Say, clock: Clock) -> None:
        self._until_s, self._pause_s, self._say, self._clock = until_s, pause_s, say, clock
        self._said, self._said_s = "", 0.0

    async def rest(self, error: ApiError) -> None:
        """Pause before the next try.

        Raises:
            NotNowError: It took too long.
        """
        now_s = self._clock()
        if now_s >= self._until_s:
            raise NotNowError(f"whether data is to be put aside cannot be read: {error}")
        if str(error) != self._said or now_s - self._said_s >= _REPEAT_S:
            self._said, self._said_s = str(error), now_s
            self._say(f"waiting for the API, {self._until_s - now_s:.0f} s more: {error}")
        await trio.sleep(self._pause_s)


def _say(text: str) -> None:
    click.echo(f"set-aside: {text}", err=True)


@click.command(short_help="Put aside what an instance stored, if that was ordered (init container).")
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Memgraph's data directory; made if it is missing."
)
@click.option("--pod", envvar="POD_NAME", required=True, help="This pod's name. [env POD_NAME]")
@click.option("--pod-uid", envvar="POD_UID", required=True, help="This pod's UID. [env POD_UID]")
@click.option("--release", envvar="RELEASE_NAME", required=True, help="The release's name. [env RELEASE_NAME]")
@click.option("--namespace", envvar="NAMESPACE", help="Its namespace; default: the pod's own. [env NAMESPACE]")
@click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    type=click.Path(path_type=Path),
    help="How to reach the API; default: as a pod does. [env KUBECONFIG]",
)
@click.option(
    "--patience-s",
    type=click.FloatRange(1, 3600),
    default=300,
    show_default=True,
    help="How long to wait for the API before this ends with exit code 1.",
)
@usage_errors
def set_aside(
    *,
    data: Path,
    pod: str,
    pod_uid: str,
    release: str,
    namespace: str | None,
    kubeconfig: Path | None,
    patience_s: float,
) -> int:
    """Put aside what an instance stored, if the leader ordered that; to be run before Memgraph starts.

    Exit code 0: Memgraph may start. Exit code 1: it must not start on this volume now; run this again.
    """
    where = namespace or own_namespace()
    if not where:
        raise UsageError("option --namespace: is missing, and this is no pod; give it, or set NAMESPACE")
    try:
        client = connect(kubeconfig, namespace=where, clock=boottime)
    except KubeConfigError as error:
        raise UsageError(str(error)) from error
    volume = Volume(data=data, pod=InstanceName(pod), uid=pod_uid)
    markers = MarkerStore(client, name=f"{release}-rebuild", labels={})
    try:
        trio.run(functools.partial(set_aside_if_ordered, volume, markers, patience_s=patience_s, say=_say))
    except NotNowError as error:
        _say(f"Memgraph is not started: {error}")
        return 1
    finally:
        client.close()
    return 0
