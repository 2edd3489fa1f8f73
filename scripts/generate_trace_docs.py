"""Write docs/reference/trace.md from the classes of the trace's lines, and of what they carry.

python -m scripts.generate_trace_docs           write it
python -m scripts.generate_trace_docs --check   write nothing; exit with 1 if it is not in step
"""

import enum
import sys
from collections.abc import Sequence
from typing import Final

from attrs import fields

from memgraph_ha.core.decision import Decision
from memgraph_ha.core.facts import Miss, Outcome, RecordTrouble
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.observed import Attempt, Observed, Seen
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.topology import Mode, Role, RowStatus, StorageMode
from memgraph_ha.trace.codec import KINDS
from memgraph_ha.trace.converter import FACTS, words_of
from memgraph_ha.trace.schema import SCHEMA, Ghost, Source
from memgraph_ha.trace.writing import MOST_WAITING, PARTS, PAUSE_S, RETRY_S
from scripts.generate_docs import field_table, summary_of, table, type_of
from scripts.in_step import REFERENCE, keep

_ENUMS: Final[tuple[type[enum.Enum], ...]] = (
    Source,
    Outcome,
    Miss,
    Role,
    Mode,
    RowStatus,
    StorageMode,
    RecordTrouble,
    ErrorClass,
    ChangeKind,
    Ask,
)

_HEAD: Final = f"""<!-- made by scripts/generate_trace_docs.py from the code: change the code, not this page -->

# Traces

A trace holds what controllers were told, what they decided, what they sent and what came of it, in that order: enough
to make every decision again. The simulator, and `memgraph-ha run`, `local` and `demo` with `--trace FILE`, write
the same. What to do with one: [replay your incident](../tutorial/replay-your-incident.md).

## The file

JSON Lines: one object a line; `jq` and `grep` work on it. The first line is the header (schema {SCHEMA}), the
last the footer. `kind` says what a line is; `seq` is its number, which others refer to; `t` is the recorder's clock;
`who` is the controller. One file may hold several controllers, each told apart by `who`.

What says nothing new is short: `as` is the number of the last line of the same kind about the same thing, and `set`
are the fields in which this one differs. So no line can be taken out of a trace, but any value in it can be changed
(the footer's digest then says that it was).

Reading is strict: an unknown field, a missing one or a wrong value is refused with file, line, field and what would be
right. Only a last line without its end is left out, and said: a controller that is killed leaves one. Numbers that JSON
has no word for are `"Infinity"` and `"-Infinity"`.

A file of `local` or of the daemon:

* belongs to its owner (mode 0600). Facts carry no passwords; a trace does hold addresses, names of instances and of
  operators with the reasons they gave, and the statements of triggers;
* is bounded: all its parts together stay below `--trace-mib` (256 by default). `FILE` is the newest, `FILE.1` to
  `FILE.{PARTS - 1}` are older; the oldest is removed. Each part begins with a header and with everything that was
  known, so each can be replayed by itself. A cluster under load writes some 50 to 100 MB an hour;
* never holds the controller up: a thread writes it, every {PAUSE_S * 1000:.0f} ms. If more than {MOST_WAITING:,} lines
  wait for the disk, the next are dropped, a line of kind `lost` says how many, and one of kind `memory` lets the replay
  go on exactly. A disk that is full is logged, and tried again every {RETRY_S:.0f} s with a new part. Recording costs a
  few per cent of one core (`python bench/trace.py` says how much on your machine);
* never takes the place of a file that is no trace, and no two controllers write one file.

In the simulator the same seed gives the same digest, whatever the order in which Python hashes."""

_COMPARISON: Final = """### `memgraph-ha sim replay`, `memgraph-ha sim diff`: `memgraph-ha/trace-comparison/1`

* `trace`, `truncated`, `intact` (whether the footer's digest is that of the lines; null without a footer),
  `rules_then`, `without`: what was compared;
* `ticks` compared, and how many are the `same` in every field;
* `reasons`: how many differ only in rule, reason, hold or time to look again, by the rule `then` and `today`;
* `first` that differs, and `act`, the first with other commands or another route: `seq`, `t`, `who`, the `fields` that
  differ, the decision `then` and `today`; null if there is none."""

_EXPLANATION: Final = """### `memgraph-ha sim explain`: `memgraph-ha/trace-explanation/1`

* `seq`, `t`, `since_begin_s`, `who`, `now_s`, `wall_s`, `decision`, `error`: the tick; `today`: what today's rules
  decide;
* `causes`: each a `statement` (`first` and `last` fact, `count`), what would have been decided `otherwise`, and its
  `origin`: the `command`, the `tick` that asked for it, and the `facts` that were new to that, each with its origin;
* `in_time`: what a tick earlier would have decided with the same knowledge, if that differs;
* `near`: rules that did not fire, with `guard`, `evidence`, and the statement `but_for` which they would have;
* `following`: rules that match too; `sent`: the commands that were sent, each with its `end`."""

_OUTPUTS: Final = f"""## What the tools print with `--json`

Decisions, facts and commands are as in the trace. Within one version of a schema fields are only added.

{_COMPARISON}

{_EXPLANATION}"""


def page() -> str:
    """Make the page."""
    parts = [_HEAD, "## Lines"]
    for word, kind in KINDS.items():
        parts += [f"### `{word}`", summary_of(kind), field_table(kind)]
    decision = [f"`{each.name}`" for each in fields(Decision)]
    parts += [
        "## Decisions",
        summary_of(Decision) + f" Fields: {', '.join(decision)}.",
        field_table(Decision),
        "## Commands",
        "As in [the reference of commands](commands.md); `kind` is the name of the command.",
        "## Facts",
        "`kind` is the name of the fact. Times are seconds on the controller's own clock.",
        table(
            ("fact", "says", "fields"),
            (
                (
                    f"`{name}`",
                    summary_of(kind),
                    ", ".join(f"`{each.name}`: `{type_of(kind, each.name)}`" for each in fields(kind)),
                )
                for name, kind in FACTS.items()
            ),
        ),
        "## Ghosts",
        "Only the simulator writes them, no rule sees them, no digest covers them. `what` and the fields of `data`:",
        table(("what", "data"), ((f"`{ghost.name}`", ghost.value) for ghost in Ghost)),
        "## Memory",
        "What a line of kind `memory` holds: everything that was filed.",
    ]
    for known in (Observed, Seen, Attempt):
        parts += [f"### `{known.__name__}`", summary_of(known), field_names(known)]
    parts += [
        "## Words",
        "Values of enums are their names; holds go by [their words](holds.md).",
        table(
            ("of", "words"), ((f"`{each.__name__}`", ", ".join(f"`{w}`" for w in words_of(each))) for each in _ENUMS)
        ),
        _OUTPUTS,
    ]
    return "\n\n".join(parts) + "\n"


def field_names(kind: type) -> str:
    """List a class's fields with their types."""
    made: str = table(("field", "type"), ((f"`{each.name}`", f"`{type_of(kind, each.name)}`") for each in fields(kind)))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check them; returns the exit code."""
    return keep(lambda: {"trace.md": page()}, "generate_trace_docs", arguments, REFERENCE)


if __name__ == "__main__":
    sys.exit(main())
