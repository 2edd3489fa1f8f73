"""Which versions of the record this process has seen, and whether one goes back behind them. No I/O, no clock.

Versions of one object may be compared as numbers
(https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions, KEP 5504).
"""

import structlog
from attrs import frozen

from memgraph_ha.adapters.kubernetes.record_object import RecordObject

_log = structlog.get_logger()


@frozen(kw_only=True)
class Known:
    """The newest version that was read: ``number`` orders the versions of the object ``uid``."""

    uid: str
    number: int
    text: str


class Versions:
    """Remembers the newest version, and finds one that is older."""

    def __init__(self) -> None:
        self.newest: Known | None = None
        self._refused: int | None = None

    def judge(self, there: RecordObject, known: Known | None) -> str | None:
        """Judge one more version, and remember it if it is newer.

        Args:
            there: What was read.
            known: `newest` when the read was *asked for*: a read that was overtaken by another is only late.

        Returns:
            Why it must not be relied on, and what ends that; None if it may.
        """
        if not there.version.isdecimal():
            return None  # an API server that counts otherwise: versions say only whether something changed
        seen = Known(uid=there.uid, number=int(there.version), text=there.text)
        if known is None or known.uid != seen.uid or seen.number >= known.number:
            if self.newest is None or self.newest.uid != seen.uid or seen.number > self.newest.number:
                self.newest = seen
            return None
        written_since = self._refused is not None and seen.number > self._refused
        if seen.text == known.text or written_since:
            self.newest, self._refused = seen, None
            return None
        if self._refused != seen.number:
            _log.error("record.regressed", seen=seen.number, newest=known.number, newest_record=known.text)
            self._refused = seen.number
        return (
            f"version {seen.number} is older than {known.number}, read before (was etcd restored from a copy?): "
            "put the newest record back, the log has it (record.regressed); if what stands there is right, annotate it"
        )
