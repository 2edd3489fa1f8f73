"""Write the reference pages that are made from the code: rules, policy, record, holds, messages, invariants, commands.

python -m scripts.generate_docs           write docs/reference/*.md
python -m scripts.generate_docs --check   write nothing; name every page that is not in step (exit code 1)
"""

import ast
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import Final

from attrs import fields, frozen

from memgraph_ha.core import INVARIANTS, MESSAGES, RULES, ErrorClass, Hold, Rule, describe_policy
from memgraph_ha.core import commands as commands_module
from memgraph_ha.core.record import Change, ChangeKind, Fallback, Record, Standby
from scripts.in_step import REFERENCE, keep

SECTIONS: Final = ("When", "Then", "Protects", "After", "Before", "Source")
REQUIRED: Final = ("When", "Then", "Protects", "Source")
_SECTION = re.compile(rf"(?:^|\n|  )({'|'.join(SECTIONS)}): ")
_ID = re.compile(r"\b[A-Z]\d\d\b")
_PROMISE = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")
_WORDS: Final = {"STRICT_SYNC"}
"""Words of Memgraph's that look like the name of a promise."""
_NOTE: Final = "<!-- made by scripts/generate_docs.py from the code: change the code, not this page -->"

OTHER_PROMISES: Final = {
    "ANTI_FLAP": "a pair that fails again and again is not worn down by endless promotions",
    "QUIESCENCE": "in a healthy cluster no command is sent",
    "LINEAGE": "a replica follows one MAIN's history only",
}
"""What rules protect by what they do or do not do, and no single command can break."""


class DocsError(ValueError):
    """A docstring does not say what the reference needs, or says what is not so."""


@frozen
class RuleText:
    """A rule's docstring, taken apart."""

    rule: Rule
    summary: str
    sections: dict[str, str]


def read_rule(rule: Rule) -> RuleText:
    """Take a rule's docstring apart.

    Raises:
        DocsError: A section is missing or empty, or stands twice.
    """
    text = inspect.getdoc(rule.decide) or ""
    pieces = _SECTION.split(text)
    sections: dict[str, str] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if name in sections:
            raise DocsError(f"rule {rule.id}: its docstring has two sections {name!r}; join them")
        sections[name] = " ".join(body.split())
    for name in REQUIRED:
        if not sections.get(name):
            raise DocsError(f"rule {rule.id}: its docstring has no section {name!r}; add one")
    return RuleText(rule, " ".join(pieces[0].split()), sections)


def check_order(text: RuleText, order: list[str]) -> None:
    """Check that what the docstring says of the order is true of RULES.

    Raises:
        DocsError: It names an unknown rule, or one that stands on the other side.
    """
    here = order.index(text.rule.id)
    for name, sign in (("After", -1), ("Before", 1)):
        for other in _ID.findall(text.sections.get(name, "")):
            if other not in order:
                raise DocsError(f"rule {text.rule.id}: {name} names {other}, which is no rule")
            if (order.index(other) - here) * sign <= 0:
                raise DocsError(f"rule {text.rule.id}: it says {name} {other}, but RULES has it the other way round")


def promises_of(text: RuleText) -> list[str]:
    """Name the promises that a rule protects.

    Raises:
        DocsError: It names one that nobody made.
    """
    known = {invariant.name for invariant in INVARIANTS} | set(OTHER_PROMISES)
    found = [name for name in _PROMISE.findall(text.sections["Protects"]) if name not in _WORDS]
    words = [word for word in re.findall(r"\b[A-Z]{5,}\b", text.sections["Protects"]) if word in known]
    for name in found:
        if name not in known:
            raise DocsError(f"rule {text.rule.id}: it protects {name}, which is no promise; known are {sorted(known)}")
    return found + words


def _parts_of(rule: Rule) -> list[FunctionType]:
    """The rule's function, and the private ones of its module that it calls, in the order of the source."""
    start = typing.cast("FunctionType", rule.decide)
    found, left = [start], [start]
    while left:
        part = left.pop()
        for name in part.__code__.co_names:
            other = part.__globals__.get(name)
            if not isinstance(other, FunctionType) or other in found:
                continue
            if name.startswith("_") and other.__module__ == start.__module__:
                found.append(other)
                left.append(other)
    return sorted(found, key=lambda part: part is not start)


def guards_of(rule: Rule) -> list[str]:
    """List the guards of a rule in the order in which they are asked."""
    found: list[str] = []
    for part in _parts_of(rule):
        tree = ast.parse(textwrap.dedent(inspect.getsource(part)))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Unmet"]
        calls.sort(key=lambda call: call.lineno)
        found += [ast.literal_eval(call.args[0]) for call in calls if isinstance(call.args[0], ast.Constant)]
    return list(dict.fromkeys(found))


def holds_of(rule: Rule) -> list[Hold]:
    """List the holds that a rule can name, in the order of `Hold`."""
    found: set[Hold] = set()
    for part in _parts_of(rule):
        for name in part.__code__.co_names:
            if name in Hold.__members__:
                found.add(Hold[name])
            table = part.__globals__.get(name)
            if isinstance(table, dict):
                found.update(value for value in table.values() if isinstance(value, Hold))
    return [hold for hold in Hold if hold in found]


def table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    """Lay out a table; bars inside cells are escaped."""
    cells = [tuple(cell.replace("|", "\\|") for cell in line) for line in lines]
    rows = [head, tuple("---" for _ in head), *cells]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def attributes_of(kind: type) -> dict[str, str]:
    """Read the *Attributes* section of a class docstring: field to meaning."""
    _summary, _, section = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if match := re.match(r" {4}(\w+): (.*)", line):
            name, found[match[1]] = match[1], match[2]
        elif line.startswith(" " * 8):
            found[name] += " " + line.strip()
        else:
            break
    return found


def summary_of(kind: type) -> str:
    """Read a class docstring up to its first section."""
    text = re.split(r"\n\n(?:Attributes|Raises):\n", inspect.getdoc(kind) or "")[0]
    return " ".join(text.split())


def type_of(kind: type, name: str) -> str:
    """Say a field's type as the code has it."""
    text = inspect.formatannotation(typing.get_type_hints(kind)[name])
    return re.sub(r"\b(?:memgraph_ha|typing)(?:\.\w+)*\.(\w+)", r"\1", text)


def field_table(kind: type) -> str:
    """Lay out a class's fields with types and meanings.

    Raises:
        DocsError: A field has no meaning in the docstring.
    """
    meant = attributes_of(kind)
    names = [field.name for field in fields(kind)]
    for name in names:
        if name not in meant:
            raise DocsError(f"class {kind.__name__}: its docstring does not say what {name} is; add it to Attributes")
    return table(("field", "type", "meaning"), ((f"`{n}`", f"`{type_of(kind, n)}`", meant[n]) for n in names))


def rules_page() -> str:
    """The rules in order, each with its sections, guards and holds."""
    order = [rule.id for rule in RULES]
    texts = [read_rule(rule) for rule in RULES]
    parts = [
        "# The rules",
        (
            "The first rule that matches decides, one per look. Every rule is asked in this order; `explain` shows for "
            "each the first guard that stopped it and what it saw. Ids are never used again."
        ),
        table(("id", "rule", "does"), ((t.rule.id, f"[{t.rule.name}](#{t.rule.name})", t.summary) for t in texts)),
    ]
    for text in texts:
        check_order(text, order)
        promises_of(text)
        lines = [f"## {text.rule.name}", f"**{text.rule.id}** {text.summary}"]
        lines += [f"*{name}*: {text.sections[name]}" for name in SECTIONS if name in text.sections]
        if guards := guards_of(text.rule):
            lines.append(f"*Guards*: {'; '.join(guards)}.")
        if holds := holds_of(text.rule):
            lines.append(f"*Holds*: {', '.join(f'`{hold.word}`' for hold in holds)}.")
        parts.append("\n\n".join(lines))
    return "\n\n".join(parts)


def policy_page() -> str:
    """Every field of the policy."""
    lines = ((f"`{name}`", default, allowed, doc) for name, default, allowed, doc in describe_policy())
    return "\n\n".join(
        [
            "# The policy",
            (
                "What an operator may choose. Names that end in `_s` are seconds. A bad value is an error that names "
                "the field, the value and what is allowed; there is no silent default."
            ),
            table(("field", "default", "allowed", "meaning"), lines),
        ]
    )


def record_page() -> str:
    """The record and the values in it."""
    parts = [
        "# The record",
        (
            "One JSON value, written only by compare-and-set, that says who is MAIN and who may follow. It is read "
            "strictly: a missing field or a wrong value is refused by name. Fields of later versions are kept. The "
            "JSON has one more field, `schema`, which is 1."
        ),
    ]
    for kind in (Record, Standby, Fallback, Change):
        parts += [f"## {kind.__name__}", summary_of(kind), field_table(kind)]
    unplanned = ((f"`{kind.value}`", "yes" if kind.unplanned else "no") for kind in ChangeKind)
    parts += ["## Kinds of change", table(("kind", "counts against `failover_limit`"), unplanned)]
    return "\n\n".join(parts)


def holds_page() -> str:
    """Everything that may be waited for."""
    named = {rule.id: holds_of(rule) for rule in RULES}
    generic = "any rule that writes the record"
    lines = []
    for hold in Hold:
        rules = [rule_id for rule_id, holds in named.items() if hold in holds]
        who = ", ".join([*rules, generic] if hold is Hold.BACKING_OFF else rules)
        wait = hold.value
        link = f"[`{hold.word}`](../runbook/{hold.page})"
        lines.append((link, wait.blocked, wait.ends, wait.command and f"`{wait.command}`", wait.risk, who))
    intro = "Nothing waits without a name: what waits, what ends it, which command, what is at stake, who names it."
    columns = ("hold", "what waits", "what ends it", "command", "what could be lost", "named by")
    return "\n\n".join(["# Holds", intro, table(columns, lines)])


def messages_page() -> str:
    """The classification of error texts."""
    lines = ((f"`{m.text}`", f"`{m.meaning.name}`", m.versions, m.source) for m in MESSAGES)
    return "\n\n".join(
        [
            "# What error messages mean",
            (
                "Memgraph's error codes say nothing, so the text decides: the first line whose text the message holds. "
                "Versions are those in which it was seen or read."
            ),
            table(("text", "meaning", "versions", "source"), lines),
            "## Meanings",
            table(("meaning", "what may be concluded"), ((f"`{c.name}`", c.value) for c in ErrorClass)),
        ]
    )


def invariants_page() -> str:
    """The promises, and who protects them."""
    texts = [read_rule(rule) for rule in RULES]

    def protectors(name: str) -> str:
        return ", ".join(text.rule.id for text in texts if name in promises_of(text))

    checked = ((f"`{i.name}`", i.says, protectors(i.name)) for i in INVARIANTS)
    others = ((f"`{name}`", says, protectors(name)) for name, says in OTHER_PROMISES.items())
    return "\n\n".join(
        [
            "# Invariants",
            (
                "Checked on every command of every decision, in production as in the tests, each command against the "
                "record that those before it leave. A decision that would break one is a bug of ours: the gateways are "
                "closed and the process exits."
            ),
            table(("promise", "says", "protected by"), checked),
            "Promises that no single command can break, which tests and the simulation hold:",
            table(("promise", "says", "protected by"), others),
        ]
    )


def commands_page() -> str:
    """The closed union of commands."""
    parts = [
        "# Commands",
        (
            "What a decision may ask for. Commands of one decision run in order and stop at the first that is not "
            "done; every prefix is safe. Each carries what it expects, and the adapter checks that again on the "
            "connection that sends it."
        ),
    ]
    union = typing.get_args(commands_module.Command)
    for kind in union:
        parts += [f"## {kind.__name__}", summary_of(kind), field_table(kind)]
    return "\n\n".join(parts)


MAKERS: Final[dict[str, Callable[[], str]]] = {
    "rules.md": rules_page,
    "policy.md": policy_page,
    "record.md": record_page,
    "holds.md": holds_page,
    "messages.md": messages_page,
    "invariants.md": invariants_page,
    "commands.md": commands_page,
}


def pages() -> dict[str, str]:
    """Make every page: file name to text."""
    return {name: f"{_NOTE}\n\n{make()}\n" for name, make in MAKERS.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check them; returns the exit code."""
    return keep(pages, "generate_docs", arguments, REFERENCE)


if __name__ == "__main__":
    sys.exit(main())
