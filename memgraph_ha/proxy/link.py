"""A client and its connection to MAIN, or to a replica: the two ends, and the dialogue between them.

On a read/write link the Bolt `Dialogue` is followed; then requests are copied, never spliced, so that a quiet moment
can hold what begins a transaction and let the rest pass. Answers are spliced all the same.
"""

import socket
from collections.abc import Callable
from typing import Final

from memgraph_ha.proxy.dialogue import Dialogue, Standing
from memgraph_ha.proxy.relay import BULK_AFTER, End, Shared
from memgraph_ha.proxy.tls import TlsSocket

_NEVER_BULK: Final = float("inf")


class Link:
    """A client and its connection to MAIN.

    Attributes:
        shared: What it shares with the others.
        client: The client's end.
        main: MAIN's end.
        over: Both sockets are closed.
    """

    __slots__ = ("_dialogue", "_fresh_debt", "_on_over", "client", "main", "over", "shared")

    def __init__(
        self, client: socket.socket, main: socket.socket, shared: Shared, on_over: Callable[["Link"], None]
    ) -> None:
        self.shared = shared
        self.over = False
        self._on_over = on_over
        self.client = End(client, self, shared)
        self.main = End(main, self, shared)
        self.client.peer = self.main
        self.main.peer = self.client
        if isinstance(client, TlsSocket):
            self.main.bulk_after = _NEVER_BULK  # what is spliced is not encrypted
        self._fresh_debt = False
        self._dialogue: Dialogue | None = None
        if shared.quiet is not None:
            self._dialogue = Dialogue(shared.quiet, self._follow_no_more)
            self.client.follow = self._dialogue.admit
            self.client.bulk_after = _NEVER_BULK
            self.main.follow = self._dialogue.hear

    @property
    def standing(self) -> Standing:
        """Whether it is inside a transaction."""
        return Standing.UNKNOWN if self._dialogue is None else self._dialogue.standing

    @property
    def holds(self) -> bool:
        """Whether a quiet moment keeps bytes of the client from MAIN."""
        return self.client.hushed

    def begin(self) -> None:
        """Begin to relay."""
        self.client.begin()
        self.main.begin()

    def hush(self) -> None:
        """A quiet moment begins: let no byte to MAIN that may begin a transaction there.

        What the dialogue still follows is held when it comes; here goes what cannot be told apart: all of an opaque
        connection, and a debt to MAIN that has the beginning of a transaction in it.
        """
        if self.standing is Standing.UNKNOWN or (self.main.owed is not None and self._fresh_debt):
            self.client.hush()

    def resume(self) -> None:
        """The quiet moment is over."""
        self.client.resume()

    def note_debt(self, source: End, sent: int) -> None:
        """Only so many bytes of what was read last could be written."""
        if source is self.client and self._dialogue is not None:
            self._fresh_debt = self._dialogue.fresh > sent

    def _follow_no_more(self) -> None:
        self.client.follow = self.main.follow = None
        self.client.bulk_after = BULK_AFTER

    def reset(self) -> None:
        """One side was reset: so is the other. Also the cut: not a byte passes after this returns."""
        self._close(abort=True)

    def finish(self) -> None:
        """Both sides have said all they had to say."""
        self._close(abort=False)

    def _close(self, *, abort: bool) -> None:
        if not self.over:
            self.over = True
            self.client.close(abort=abort)
            self.main.close(abort=abort)
            self._on_over(self)
