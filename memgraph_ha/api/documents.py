"""The other documents: history, why, rules, policy, doctor, and the bundle for a bug report."""

import enum
import inspect
import platform
import re
import sys
from typing import Final

from attrs import asdict, fields

from memgraph_ha import __version__
from memgraph_ha.api.accounting import Accounting
from memgraph_ha.api.cluster import Json, cluster_document
from memgraph_ha.api.control import Control, GatewayCounters, Snapshot
from memgraph_ha.api.doctor import checks_of
from memgraph_ha.core.decide import explain
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.policy import Policy, describe_policy
from memgraph_ha.core.rules import RULES, Rule

LOG_LINES: Final = 200
"""How many of the last lines of the log a report holds."""

_SECTION = re.compile(r"(?:^|\n|  )(When|Then|Protects|After|Before|Source): ")


def history_document(snapshot: Snapshot) -> Json:
    """Everything that the record remembers of the reigns, oldest first."""
    record = None if snapshot.view is None else snapshot.view.record
    changes = () if record is None else record.history
    return {
        "schema": "memgraph-ha/history/1",
        "at": snapshot.now,
        "changes": [
            {
                "generation": change.generation,
                "main": change.main,
                "previous": change.previous,
                "kind": change.kind.value,
                "standby": change.standby,
                "rule": change.rule,
                "reason": change.reason,
                "at": change.at,
                "by": change.by,
            }
            for change in changes
        ],
    }


def explain_document(snapshot: Snapshot) -> Json:
    """What every rule said of the last view: the first that matched decided."""
    lines = () if snapshot.view is None else explain(snapshot.view)
    return {
        "schema": "memgraph-ha/explain/1",
        "at": snapshot.now,
        "rules": [{"rule": line.rule, "name": line.name, **_answer(line.answer)} for line in lines],
    }


def _answer(answer: Decision | Unmet) -> Json:
    if isinstance(answer, Decision):
        hold = None if answer.hold is None else answer.hold.word
        return {"matched": True, "reason": answer.reason, "guard": None, "evidence": None, "hold": hold}
    evidence = None if answer.evidence is None else _told(answer.evidence) or None
    return {"matched": False, "reason": None, "guard": answer.guard, "evidence": evidence, "hold": None}


def _told(evidence: object) -> str:
    """Say what a guard saw as a person would: no brackets, no quotes, no long fractions."""
    match evidence:
        case None:
            return "nothing"
        case float():
            return f"{evidence:.1f}"
        case dict():
            return ", ".join(f"{name}: {_told(what)}" for name, what in evidence.items()) or "nobody"
        case list() | tuple():
            return ", ".join(map(_told, evidence)) or "none"
        case _:
            return str(evidence).removeprefix("; ")  # as it is added to sentences


def rules_document() -> Json:
    """Every rule in order, in the words of its docstring."""
    return {"schema": "memgraph-ha/rules/1", "rules": [_rule(rule) for rule in RULES]}


def _rule(rule: Rule) -> Json:
    pieces = _SECTION.split(inspect.getdoc(rule.decide) or "")
    said = {name.lower(): " ".join(text.split()) for name, text in zip(pieces[1::2], pieces[2::2], strict=True)}
    told = {name: said.get(name, "") for name in ("when", "then", "protects", "after", "before", "source")}
    return {"rule": rule.id, "name": rule.name, "summary": " ".join(pieces[0].split()), **told}


def policy_document(policy: Policy) -> Json:
    """Every field of the policy in force, with its default and what is allowed."""
    values, defaults = plain_policy(policy), plain_policy(Policy())
    return {
        "schema": "memgraph-ha/policy/1",
        "fields": [
            {"name": name, "value": values[name], "default": defaults[name], "allowed": allowed, "doc": doc}
            for name, _, allowed, doc in describe_policy()
        ],
    }


def plain_policy(policy: Policy) -> dict[str, object]:
    """Write a policy as plain JSON values, as `parse_policy` reads them."""
    return {field.name: _plain(getattr(policy, field.name)) for field in fields(Policy)}


def _plain(value: object) -> object:
    if isinstance(value, enum.Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def doctor_document(snapshot: Snapshot) -> Json:
    """Everything that is looked at before a cluster is trusted with data."""
    checks = [] if snapshot.view is None else checks_of(snapshot.view)
    told = [{**asdict(check), "level": check.level.value} for check in checks]
    return {"schema": "memgraph-ha/doctor/1", "at": snapshot.now, "checks": told}


def report_document(control: Control) -> Json:
    """Everything that a bug report needs, and nothing secret: no token, no password, no account is known here."""
    snapshot = control.now()
    return {
        "schema": "memgraph-ha/report/1",
        "at": snapshot.now,
        "versions": {
            "memgraph-ha": __version__,
            "python": sys.version.split()[0],
            "platform": platform.platform(),
        },
        "cluster": cluster_document(snapshot),
        "history": history_document(snapshot),
        "explain": explain_document(snapshot),
        "policy": policy_document(control.policy),
        "doctor": doctor_document(snapshot),
        "counters": {gate.value: tallies(gateway.counters) for gate, gateway in snapshot.gateways.items()},
        "accounting": _totals(control.accounting),
        "log": list(control.log_tail(LOG_LINES)),
    }


def tallies(counters: GatewayCounters) -> Json:
    """Write a gateway's counters as numbers by name, refusals by reason."""
    names = [name for name in vars(GatewayCounters) if not name.startswith("_")]
    refused = {reason.name.lower(): count for reason, count in counters.refused.items()}
    shown = {name: getattr(counters, name) for name in names}
    return {**shown, "refused": refused, "relayed_to_now": dict(counters.relayed_to_now)}


def _totals(accounting: Accounting) -> Json:
    return {
        "turns": accounting.turns.count,
        "failed_turns": accounting.failed_turns,
        "last_error": accounting.last_error,
        "decisions": {f"{rule} {name}": count for (rule, name), count in sorted(accounting.decisions.items())},
        "commands": {f"{kind} {outcome}": count for (kind, outcome), count in sorted(accounting.commands.items())},
        "reigns": {kind.value: count for kind, count in accounting.reigns.items()},
        "shut_s": round(accounting.shut_s, 3),
    }
