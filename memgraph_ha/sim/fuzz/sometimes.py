"""Situations that random lives should come upon: a promise that is never in danger is not tested.

Each mark is counted where it is seen (`memgraph_ha.sim.fuzz.watch`); a night of fuzzing in which one never came up
tested less than it seems.
"""

from __future__ import annotations

import enum


class Mark(enum.Enum):
    """What was seen at least once; the value says it in words."""

    PROMOTED_EXACT = "an instance was promoted that held what was acknowledged, and nothing else"
    PROMOTED_AHEAD = "an instance was promoted that held writes of which no client knew"
    TWO_MAINS = "two instances lived as MAIN at once"
    STRAY_MAIN = "a controller saw a MAIN that the record does not know"
    NO_MAIN = "nobody lived as MAIN while the record named one"
    LATE_COMMAND = "a command landed after its sender's lease had ended"
    REVOKED_IN_FLIGHT = "a permit was revoked while answers of MAIN were on their way"
    TWO_LEADERS = "two controllers believed that they lead"
    NO_LEADER = "no controller led for longer than a lease lasts"
    LEASE_REMOVED = "a lease was gained that somebody had removed"
    RECORD_CONFLICT = "a write of the record was refused: somebody else had written"
    WRITE_UNKNOWN = "the answer to a write of the record was lost"
    WRITE_APPLIED_UNKNOWN = "a write of the record whose answer was lost had been applied"
    RECORD_GONE = "the record was removed while controllers lived"
    RECORD_SPOILT = "the record could not be used"
    PROMOTE_UNKNOWN = "the answer to a promotion was lost"
    REGISTER_UNKNOWN = "the answer to a registration was lost"
    REGISTER_REFUSED = "a registration was refused"
    DEMOTE_REFUSED = "a demotion was refused"
    NOT_SENT = "a command was not sent, because the lease might have ended before its answer"
    COMMIT_ABORTED = "a commit was aborted, because the standby did not take it"
    COMMIT_UNKNOWN = "the answer to a no-op commit was lost"
    PROVEN = "a standby was proven"
    EXCUSED = "a probe timed out behind a command of our own"
    UNAUTHORISED = "an instance refused the password"
    GAP = "a controller stood still"
    HALF_ROW = "a registration was left half done"
    DIVERGED = "a replica was called diverged"
    INVALID_ROW = "a row took no commits"
    RECOVERING = "a replica recovered while clients wrote"
    UNPROTECTED = "a reign went on without a standby"
    FALLBACK = "a reign fell back on the MAIN before it"
    REPROMOTED = "a MAIN that had restarted was promoted again"
    FAILED_OVER = "a standby took over"
    SWITCHED_OVER = "a planned switchover was done"
    FORCED = "a person forced a reign"
    ADOPTED = "a reign was read from what instances said"
    BOOTSTRAPPED = "the first record was written"
    REBUILT = "an instance was emptied to be filled anew"
    PAUSED = "an operator had paused the cluster while a reign was in danger"
    QUIET = "clients were held between two transactions"
    FLIPPED = "a reign began within ten seconds of the one before it"

    @property
    def word(self) -> str:
        """Its name as it is shown, e.g. ``two-mains``."""
        return self.name.lower().replace("_", "-")
