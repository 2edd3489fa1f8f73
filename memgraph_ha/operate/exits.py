"""How every operator command ends: one table of exit codes, and the error that carries one."""

import enum
from typing import Final

_INTERRUPTED: Final = 130


class Exit(enum.IntEnum):
    """The exit codes. They are part of the interface: a script may rely on each."""

    OK = 0
    UNWELL = 1
    USAGE = 2
    UNREACHABLE = 3
    UNAUTHORISED = 4
    UNKNOWN = 5
    INTERRUPTED = _INTERRUPTED


MEANINGS: Final[dict[Exit, str]] = {
    Exit.OK: "done; `status`: healthy, nothing is held",
    Exit.UNWELL: "not healthy (`status`, `doctor`), or refused by name: nothing was changed",
    Exit.USAGE: "the command line, a file or a name is wrong, or a confirmation is missing: nothing was asked",
    Exit.UNREACHABLE: "nobody who could act was reached: nothing runs there, or that controller does not lead",
    Exit.UNAUTHORISED: "the token is missing or wrong",
    Exit.UNKNOWN: "no answer in time: it may still happen; look with `memgraph-ha status`",
    Exit.INTERRUPTED: "interrupted by ctrl-c; what was asked for may still happen",
}
"""What each means, for the help and the reference."""


class OperateError(Exception):
    """A command cannot do what it was asked: one sentence with the way out, and how the command ends.

    Attributes:
        code: The exit code.
        document: What the API said, unchanged; None if it said nothing.
    """

    def __init__(self, code: Exit, text: str, document: dict[str, object] | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.document = document
