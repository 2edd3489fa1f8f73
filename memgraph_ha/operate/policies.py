"""`memgraph-ha policy`: show what is in force, check a file, apply one with a diff."""

import tomllib
from pathlib import Path

import click
from rich.console import RenderableType
from rich.text import Text

from memgraph_ha.core.errors import PolicyError
from memgraph_ha.core.policy import parse_policy
from memgraph_ha.operate.documents import Changed, PolicyChange, PolicyShown, structured
from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.helping import OperatorCommand
from memgraph_ha.operate.output import Output
from memgraph_ha.operate.paint import FAIR, QUIET, plain, table
from memgraph_ha.operate.session import Session, asks_cluster, dry_run_option, ending, json_option, yes_option

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
_APPLY_S = 10.0


@click.group(short_help="Show, check or change what the operator may choose.")
def policy() -> None:
    """Show, check or change what the operator may choose. A policy file is TOML: one `field = value` a line."""


@policy.command(
    cls=OperatorCommand,
    answers="Policy",
    short_help="Show the policy in force.",
    examples=("memgraph-ha policy show", "memgraph-ha policy show --json | jq -r '.fields[] | [.name, .value] | @tsv'"),
)
@asks_cluster
async def show(session: Session) -> Exit:
    """Show every field in force; what differs from its default stands out."""
    async with session.client() as client:
        raw = await client.read("policy")
    session.output.document(raw)
    drawn = table("field", "value", "default", "allowed", "meaning")
    for each in structured(PolicyShown, raw).fields:
        other = each.value != each.default
        drawn.add_row(
            Text(each.name, "bold" if other else ""),
            Text(plain(each.value), FAIR if other else ""),
            Text(plain(each.default), QUIET),
            Text(each.allowed.removeprefix("allowed is "), QUIET),
            each.doc,
        )
    session.output.show(drawn)
    return Exit.OK


@policy.command(
    cls=OperatorCommand,
    short_help="Check a policy file, without a cluster.",
    examples=("memgraph-ha policy check policy.toml", "memgraph-ha policy check policy.toml --json"),
)
@_FILE
@json_option
@ending
def check(*, file: Path, as_json: bool) -> Exit:
    """Check FILE: every field known, every value allowed. Asks nobody."""
    given = read_policy_file(file)
    try:
        parse_policy(given)
    except PolicyError as error:
        raise OperateError(Exit.USAGE, f"{file}: {error}") from None
    text = f"{file} is good: {len(given)} fields, the others keep their defaults"
    output = Output(as_json=as_json)
    output.document({"ok": True, "text": text})
    output.show(Text(text))
    return Exit.OK


@policy.command(
    cls=OperatorCommand,
    answers="PolicyAnswer",
    short_help="Change the policy in force, after showing the difference.",
    examples=("memgraph-ha policy apply policy.toml --dry-run", "memgraph-ha policy apply policy.toml --yes"),
)
@_FILE
@dry_run_option
@yes_option
@asks_cluster
async def apply(session: Session, *, file: Path, dry_run: bool, sure: bool) -> Exit:
    """Put what FILE says in force, and keep it across restarts; a field that FILE does not name stays as it is.

    Shows first what changes, and asks. The controller checks the whole; nothing is changed if a value is not allowed.
    """
    given = read_policy_file(file)
    async with session.client() as client:
        raw = await client.change("PUT", "policy", {"fields": given, "dry_run": True}, wait_s=_APPLY_S)
        plan = structured(PolicyChange, raw)
        if not plan.ok:
            raise OperateError(Exit.UNWELL, plan.text, raw)
        if dry_run or not plan.changed:
            session.output.document(raw)
            session.output.show(*_difference(plan.changed))
            return Exit.OK
        session.output.aside(*_difference(plan.changed))
        await session.output.confirm(f"Change {_fields(len(plan.changed))}?", sure=sure)
        raw = await client.change("PUT", "policy", {"fields": given}, wait_s=_APPLY_S)
    done = structured(PolicyChange, raw)
    if not done.ok:
        raise OperateError(Exit.UNWELL, done.text, raw)
    session.output.document(raw)
    session.output.show(Text(done.text or f"changed {_fields(len(done.changed))}"))
    return Exit.OK


def read_policy_file(file: Path) -> dict[str, object]:
    """Read a policy file.

    Raises:
        OperateError: It cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperateError(Exit.USAGE, f"{file}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OperateError(Exit.USAGE, f"{file} is no TOML ({error}); write `field = value` lines") from None


def _fields(number: int) -> str:
    return "1 field" if number == 1 else f"{number} fields"


def _difference(changed: tuple[Changed, ...]) -> list[RenderableType]:
    """Draw a diff, as people read them: what goes in red, what comes in green."""
    if not changed:
        return [Text("nothing to change: the policy in force already says so")]
    lines: list[RenderableType] = []
    for each in changed:
        lines.append(Text(f"- {each.name} = {plain(each.old)}", "red"))
        later = "   after a restart of the controller" if each.needs_restart else ""
        lines.append(Text.assemble((f"+ {each.name} = {plain(each.new)}", "green"), (later, QUIET)))
    return lines
