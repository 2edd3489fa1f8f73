"""Finds the address behind the name in a permit, once per permit, without keeping anybody waiting."""

import logging
import socket
from collections.abc import Callable, Iterable
from typing import Final

import trio

from memgraph_ha.core.permit import Permit
from memgraph_ha.proxy.sockets import Target, numeric_target, split_address

RESOLVE_PAUSE_S: Final = 0.5
"""Between two attempts to resolve a name."""

log = logging.getLogger(__name__)


class _Search:
    """A permit, and where it leads once that is known."""

    def __init__(self, permit: Permit) -> None:
        self.permit = permit
        self.target: Target | None = None


class Resolver:
    """The targets of the permits in force.

    Args:
        on_found: Called on the trio thread when a name has been resolved.

    Attributes:
        nursery: Where to look for names; None: nowhere, for now.
    """

    def __init__(self, on_found: Callable[[], None]) -> None:
        self._on_found = on_found
        self._searches: list[_Search] = []
        self.nursery: trio.Nursery | None = None

    def keep(self, permits: Iterable[Permit]) -> None:
        """Forget all permits but these, and those that they extend."""
        kept = tuple(permits)
        self._searches = [search for search in self._searches if any(p.extends(search.permit) for p in kept)]

    def target(self, permit: Permit) -> Target | None:
        """Where a permit leads; None if its name has yet to be resolved, which is then under way.

        Raises:
            ValueError: Its address is not ``host:port``.
        """
        host, port = split_address(permit.address)
        target = numeric_target(host, port)
        if target is not None:
            return target
        for search in self._searches:
            if permit.extends(search.permit):
                return search.target
        if self.nursery is not None:
            search = _Search(permit)
            self._searches.append(search)
            self.nursery.start_soon(self._resolve, search, host, port)
        return None

    async def _resolve(self, search: _Search, host: str, port: int) -> None:
        """Look a name up, again and again, for as long as a permit needs it."""
        while search in self._searches:
            try:
                found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                log.warning("the address %s cannot be resolved, trying again: %s", search.permit.address, error)
                await trio.sleep(RESOLVE_PAUSE_S)
                continue
            if search in self._searches:
                family, _, _, _, sockaddr = found[0]
                search.target = Target(family, str(sockaddr[0]), port)
                self._on_found()
            return
