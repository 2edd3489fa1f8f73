"""The failsafe on Kubernetes: who the other controllers are, and asking them (docs/decisions/0011)."""

import json
from collections.abc import Callable, Mapping
from typing import Final

import structlog
import trio

from memgraph_ha.adapters.kubernetes.client import Clock, KubeClient
from memgraph_ha.adapters.kubernetes.controllers import gone_among, list_controllers
from memgraph_ha.adapters.kubernetes.errors import ApiError
from memgraph_ha.adapters.lease_note import LeaseNote, Sight
from memgraph_ha.core.policy import Policy
from memgraph_ha.failsafe.promiser import Lease, Promiser, Question, Reply
from memgraph_ha.failsafe.roster import Peer, Roster
from memgraph_ha.failsafe.state import State
from memgraph_ha.failsafe.wire import LARGEST, WireError, read_question, read_reply, write_question, write_reply

PATH: Final = "/api/v1/failsafe"

ASK_S: Final = 1.0
"""A peer that has not answered by then has not promised."""

LIST_S: Final = 5.0
"""Pause between two looks at who the other controllers are."""

_TURN_S: Final = 0.25
"""How often is looked whether something is to be done."""

_MOST_BYTES: Final = 4 * LARGEST
"""No answer of ours is longer, its head included."""

_log = structlog.get_logger("memgraph_ha.failsafe")


class KubeFailsafe:
    """Implements the campaign's `Failsafe` with the other controllers' pods as peers.

    Error handling: nothing is raised. A peer that does not answer, refuses, or answers what is not signed with our
    key has not promised; the log says who and why when that changes. While the list of controllers cannot be read,
    the last one counts.

    Resource handling: questions live in the nursery of `run`, each on a connection of its own, for a second at most.

    Args:
        client: The API.
        pod: Our pod's name.
        uid: Its UID.
        selector: The labels of the controllers' pods.
        port: Where controllers serve HTTP.
        key: See `memgraph_ha.failsafe.wire.failsafe_key`.
        policy: ``lease_duration_s``, ``lease_renew_s``.
        clock: Seconds on CLOCK_BOOTTIME.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        pod: str,
        uid: str,
        selector: str,
        port: int,
        key: bytes,
        policy: Policy,
        clock: Clock,
    ) -> None:
        self._client, self._pod, self._uid, self._selector, self._port = client, pod, uid, selector, port
        self._key, self._clock = key, clock
        self._pause_s = policy.lease_renew_s
        self._first_s = min(2 * policy.lease_renew_s, policy.lease_duration_s / 2)
        promiser = Promiser(uid=uid, duration_s=policy.lease_duration_s, fresh_s=policy.lease_renew_s)
        self._state = State(promiser=promiser)
        self._peers: tuple[Peer, ...] | None = None
        self._listed_s = -LIST_S
        self._changed: Callable[[], None] = _nothing
        self._said: dict[str, str] = {}

    # --- what the campaign tells and asks ---------------------------------------------------------

    def saw(self, sight: Sight) -> None:
        """Take note of an answered look."""
        note = sight.note
        lease = Lease(token=sight.token)
        if note is not None:
            lease = Lease(
                token=sight.token,
                session=note.session,
                term=note.term,
                duration_s=note.duration_s,
                released=note.released,
                controllers=note.controllers,
            )
        self._state = self._state.saw(lease, self._clock())

    def forbids(self, unchanged_s: float) -> str | None:
        """Say why the lease must not be taken now; see `Promiser.forbids`."""
        return self._state.forbids(unchanged_s, self._clock())

    def taking(self, token: str | None) -> None:
        """A take is sent now: from here on nothing is promised."""
        self._state = self._state.taking(token)

    def took(self, done: bool | None) -> None:
        """It ended."""
        self._state = self._state.took(done=done)

    def annotation(self) -> str:
        """Who may lead, as we know it; empty until the controllers were listed in our term."""
        return "" if self._peers is None else Roster(pod=self._pod, holder=self._uid, peers=self._peers).to_text()

    def wrote(self, annotation: str) -> None:
        """A write with it is sent now."""
        self._state = self._state.writes(annotation)

    def kept(self, note: LeaseNote, sent_s: float) -> None:
        """That write was acknowledged."""
        self._state = self._state.kept(note.session, note.term, note.duration_s, note.controllers, sent_s)
        self._say("term", "")

    def lost(self) -> None:
        """Our term ended."""
        self._state, self._peers = self._state.lost(), None

    def until_s(self, until_s: float) -> float:
        """When a term really ends."""
        return self._state.until_s(until_s)

    def on_change(self, changed: Callable[[], None]) -> None:
        """Name whom to call when that moved."""
        self._changed = changed

    # --- what other controllers ask ---------------------------------------------------------------

    def promise(self, asked: Mapping[str, object]) -> Mapping[str, str]:
        """Answer another controller's question; the promise is in force before this returns.

        Raises:
            WireError: It is none, or not from a controller with our key.
        """
        question = read_question(dict(asked), self._key)
        self._state, reply = self._state.asked(question, self._clock())
        self._say("promised", "" if reply.promised else reply.why, session=question.session, term=question.term)
        return write_reply(reply, self._key)

    # --- asking -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """List the controllers while we lead, ask them while we cannot renew; for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._know)
            while True:
                if self._state.due(self._clock(), first_s=self._first_s, every_s=self._pause_s):
                    self._state, questions = self._state.ask(self._clock())
                    for peer, question in questions:
                        nursery.start_soon(self._ask, peer, question)
                await trio.sleep(_TURN_S)

    async def _ask(self, peer: Peer, question: Question) -> None:
        try:
            reply = await self._asked(peer, question)
        except (ValueError, OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            self._say(peer.pod, _why(error), address=peer.address)
            return
        self._say(peer.pod, "" if reply.promised else reply.why, address=peer.address)
        before = self._state.until_s(0.0)
        self._state = self._state.answered(reply, self._clock())
        if self._state.until_s(0.0) > before:
            self._say("term", "the lease cannot be renewed: the term goes on by promises")
            self._changed()

    async def _asked(self, peer: Peer, question: Question) -> Reply:
        """Ask one peer, on a connection of its own.

        A client library would make an SSL context for each, which blocks this process longer than a peer may take.
        """
        body = json.dumps(write_question(question, self._key)).encode()
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {peer.address}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        host, _, port = peer.address.rpartition(":")
        with trio.fail_after(ASK_S):
            async with await trio.open_tcp_stream(host.strip("[]"), int(port)) as stream:
                await stream.send_all(head.encode() + body)
                came = bytearray()
                async for chunk in stream:
                    came += chunk
                    if len(came) > _MOST_BYTES:
                        raise WireError(f"it answers more than {_MOST_BYTES} bytes")
        status, _, rest = bytes(came).partition(b"\r\n")
        found = rest.partition(b"\r\n\r\n")[2]
        if status.split(b" ")[1:2] != [b"200"]:
            raise WireError(f"it answers {status[:100]!r}: {found[:200]!r}")
        return read_reply(json.loads(found), self._key)

    # --- who there is -----------------------------------------------------------------------------

    async def _know(self) -> None:
        """Keep the list of controllers while we lead, and know who is gone while we wait to."""
        while True:
            now_s = self._clock()
            if now_s >= self._listed_s + LIST_S or (self._peers is None and self._state.term is not None):
                self._listed_s = now_s
                try:
                    await self._learn()
                except ApiError as error:
                    self._say("list", str(error))
                else:
                    self._say("list", "")
            await trio.sleep(_TURN_S)

    async def _learn(self) -> None:
        if self._state.term is not None:
            found = await list_controllers(self._client, self._selector, port=self._port, timeout_s=LIST_S)
            if self._state.term is not None:  # as still is: a new term lists anew
                self._peers = tuple(peer for peer in found if peer.uid != self._uid)
            return
        roster = self._state.promiser.roster
        if roster is None or not roster.peers or self._uid in roster.pods:
            return
        gone = await gone_among(self._client, roster.pods, timeout_s=LIST_S)
        self._state = self._state.knows_gone(gone, self._clock())

    def _say(self, subject: str, trouble: str, **more: object) -> None:
        """Log a change, once."""
        if self._said.get(subject, "") == trouble:
            return
        self._said[subject] = trouble
        if trouble:
            _log.warning("failsafe.trouble", subject=subject, trouble=trouble, **more)
        else:
            _log.info("failsafe.well", subject=subject, **more)


def _why(error: Exception) -> str:
    slow = isinstance(error, trio.TooSlowError)
    return f"no answer within {ASK_S:g} s" if slow else str(error) or type(error).__name__


def _nothing() -> None:
    """Nobody is told yet."""
