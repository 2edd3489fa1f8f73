"""The commands that only tell: history, explain, rules."""

import json
import re

import pytest

from tests.operate import recorded
from tests.operate.server import Api, says
from tests.operate.terminal import run


@pytest.mark.parametrize(
    ("line", "document"),
    [
        (("history",), recorded.HISTORY),
        (("explain",), recorded.EXPLAIN),
        (("rules",), recorded.RULES),
        (("policy", "show"), recorded.POLICY),
        (("doctor",), recorded.DOCTOR),
        (("report",), recorded.REPORT),
    ],
)
def test_json_is_the_object_unchanged(api: Api, line: tuple[str, ...], document: recorded.Json) -> None:
    """``--json`` of every command that reads prints what the API said and nothing else."""
    done = run(api, *line, "--json")
    assert (json.loads(done.out), done.err) == (document, "")


def test_history_says_who_asked(api: Api) -> None:
    """One line per reign, oldest first, with kind, asker and reason."""
    done = run(api, "history")
    assert done.code == 0
    head, first, second, third = done.out.splitlines()
    assert head.split() == ["reign", "when", "MAIN", "kind", "before", "by", "why"]
    assert "bootstrap" in first
    assert "failover" in second
    assert third[head.index("by") :].startswith("ada   kernel update")


def test_a_history_without_reigns(api: Api) -> None:
    """It says so."""
    api.scripts["GET", "history"] = says(recorded.HISTORY | {"changes": []})
    assert run(api, "history").out == "no reign has begun yet\n"


def test_explain_shows_who_decided_and_what_the_others_lacked(api: Api) -> None:
    """The first match decided, later ones match, the others show guard and evidence."""
    done = run(api, "explain")
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert re.search(r"lacks +the lease is nearly over: 8.4", lines["N20"])
    assert "decided" in lines["A30"]
    assert "matches" in lines["Z99"]
    api.scripts["GET", "explain"] = says(recorded.EXPLAIN | {"rules": []})
    assert "nothing was decided yet" in run(api, "explain").out


def test_one_rule_by_id_or_name(api: Api) -> None:
    """Case does not matter; JSON holds only that rule; a wrong one is answered with the nearest."""
    by_id, by_name = run(api, "rules", "l30"), run(api, "rules", "Fail_Over_To_Standby")
    assert by_id == by_name
    assert "protects   SINGLE_WRITER" in by_id.out
    chosen = json.loads(run(api, "rules", "L30", "--json").out)
    assert [rule["rule"] for rule in chosen["rules"]] == ["L30"]
    assert chosen["schema"] == "memgraph-ha/rules/1"
    done = run(api, "rules", "L31")
    assert done.code == 2
    assert "did you mean L30 fail_over_to_standby?" in done.err


def test_rules_without_a_cluster(api: Api) -> None:
    """Where no controller runs, the rules of this installation are shown, and that is said."""
    api.stop()
    done = run(api, "rules", "Z99")
    assert done.code == 0
    assert done.out.startswith("Z99 steady\n")
    assert "These are the rules of this installation" in done.err
