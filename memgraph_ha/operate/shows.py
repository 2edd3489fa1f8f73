"""The commands that only tell: history, explain, rules."""

import difflib
from collections.abc import Sequence

import click
from rich.text import Text

from memgraph_ha.api.documents import rules_document
from memgraph_ha.operate.documents import Explained, Explanation, History, Rules, RuleText, structured
from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.helping import OperatorCommand
from memgraph_ha.operate.paint import FAIR, GOOD, NOTHING, QUIET, moment, pairs, table
from memgraph_ha.operate.session import Session, asks_cluster

_STYLES = {"failover": FAIR, "repromote": FAIR, "fallback": FAIR, "forced": "bold red"}
"""Reigns that nobody planned stand out."""


@click.command(
    cls=OperatorCommand,
    answers="History",
    short_help="Show every change of MAIN, who asked, and why.",
    examples=("memgraph-ha history", "memgraph-ha history --json | jq '.changes[-1]'"),
)
@asks_cluster
async def history(session: Session) -> Exit:
    """Show the last 64 reigns, oldest first: whose, why they began, and who asked for it."""
    async with session.client() as client:
        raw = await client.read("history")
    session.output.document(raw)
    changes = structured(History, raw).changes
    if not changes:
        session.output.show(Text("no reign has begun yet"))
        return Exit.OK
    drawn = table("reign", "when", "MAIN", "kind", "before", "by", "why", right=("reign",))
    for change in changes:
        drawn.add_row(
            str(change.generation),
            moment(change.at),
            Text(change.main, "bold"),
            Text(change.kind, _STYLES.get(change.kind, "")),
            change.previous or NOTHING,
            change.by or NOTHING,
            Text(change.reason).append(f"  {change.rule}", QUIET),
        )
    session.output.show(drawn)
    return Exit.OK


@click.command(
    cls=OperatorCommand,
    answers="Explain",
    short_help="Say of every rule why it fired, or what it lacked.",
    examples=("memgraph-ha explain", "memgraph-ha explain --json | jq '.rules[] | select(.matched)'"),
)
@asks_cluster
async def explain(session: Session) -> Exit:
    """Say why the controller does what it does: every rule in order, with what it lacked and what it saw instead.

    The first rule that matched decided; the others that match stand by.
    """
    async with session.client() as client:
        raw = await client.read("explain")
    session.output.document(raw)
    lines = structured(Explanation, raw).rules
    if not lines:
        session.output.show(Text("nothing was decided yet: the controller is still looking"))
        return Exit.OK
    drawn = table("rule", "name", "", "said")
    decided = next((line for line in lines if line.matched), None)
    for line in lines:
        style = GOOD if line is decided else "" if line.matched else QUIET
        verdict = "decided" if line is decided else "matches" if line.matched else "lacks"
        drawn.add_row(Text(line.rule, style), Text(line.name, style), Text(verdict, style), Text(_said(line), style))
    session.output.show(drawn)
    return Exit.OK


def _said(line: Explained) -> str:
    if line.matched:
        return line.reason or NOTHING
    return ": ".join(filter(None, (line.guard, line.evidence))) or NOTHING


@click.command(
    cls=OperatorCommand,
    answers="Rules",
    short_help="Show the rules by which everything is decided.",
    examples=("memgraph-ha rules", "memgraph-ha rules L30"),
)
@click.argument("rule", required=False)
@asks_cluster
async def rules(session: Session, *, rule: str | None) -> Exit:
    """Show every rule in the order in which they are asked, or all that is to be said of RULE (its id or name).

    Those of the running controller; where none runs, those of this installation.
    """
    try:
        async with session.client() as client:
            raw = await client.read("rules")
    except OperateError as error:
        if error.code is not Exit.UNREACHABLE:
            raise
        session.output.aside(Text(f"{error}. These are the rules of this installation:", QUIET))
        raw = rules_document()
    known = structured(Rules, raw).rules
    if rule is None:
        session.output.document(raw)
        drawn = table("rule", "name", "does")
        for each in known:
            drawn.add_row(Text(each.rule, "bold"), each.name, each.summary or each.then)
        session.output.show(drawn)
        return Exit.OK
    found = _find(rule, known)
    chosen = [each for each in _dicts(raw.get("rules")) if each.get("rule") == found.rule]
    session.output.document({**raw, "rules": chosen})
    sections = [
        (name, Text(getattr(found, name))) for name in ("when", "then", "protects", "after", "before", "source")
    ]
    session.output.show(
        Text(f"{found.rule} {found.name}", "bold"),
        Text(found.summary),
        pairs(*((name, text) for name, text in sections if text.plain), indent=2),
    )
    return Exit.OK


def _dicts(value: object) -> list[dict[str, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _find(wanted: str, known: Sequence[RuleText]) -> RuleText:
    """Find a rule by its id or name, whatever the case.

    Raises:
        OperateError: There is none.
    """
    names = {name.lower(): each for each in known for name in (each.name, each.rule)}
    found = names.get(wanted.lower())
    if found is not None:
        return found
    near = difflib.get_close_matches(wanted.lower(), names, n=1, cutoff=0.4)
    guess = f"did you mean {names[near[0]].rule} {names[near[0]].name}? " if near else ""
    raise OperateError(Exit.USAGE, f"there is no rule {wanted!r}; {guess}`memgraph-ha rules` lists them")
