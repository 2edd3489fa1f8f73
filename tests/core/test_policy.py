"""The operator's choices: every bad value names field, value and what is allowed."""

import math

import pytest
from attrs import fields
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.core.errors import PolicyError
from memgraph_ha.core.policy import DataDurability, Policy, describe_policy, parse_policy

NUMBERS = [line for line in describe_policy() if line[2].startswith("allowed is")]


def refusal(**given_values: object) -> str:
    """What making a policy of that says."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(given_values)
    return str(caught.value)


def bounds(allowed: str) -> tuple[float, float]:
    """Read ``allowed is LOW to HIGH``."""
    low, high = allowed.removeprefix("allowed is ").split(" to ")
    return float(low), float(high)


@pytest.mark.parametrize(("name", "_default", "allowed", "_doc"), NUMBERS)
def test_numbers_outside_their_range_are_refused(name: str, _default: str, allowed: str, _doc: str) -> None:
    """Just below, just above, far away, not a number: each text has field, value and range."""
    low, high = bounds(allowed)
    whole = fields(Policy)[[f.name for f in fields(Policy)].index(name)].type is int
    outside: list[object] = [int(low) - 1, int(high) + 1, 10**400]
    if not whole:
        outside += [math.nextafter(low, -math.inf), math.nextafter(high, math.inf), math.inf, -math.inf, math.nan]
    for value in outside:
        text = refusal(**{name: value})
        assert text == f"policy field {name}: {value!r} is out of range; {allowed}"


@pytest.mark.parametrize(("name", "_default", "allowed", "_doc"), NUMBERS)
def test_what_is_no_number_is_refused(name: str, _default: str, allowed: str, _doc: str) -> None:
    """Words, truth values, nothing and lists are no numbers, and a fraction is no whole number."""
    whole = fields(Policy)[[f.name for f in fields(Policy)].index(name)].type is int
    wanted = "a whole number" if whole else "a number"
    wrong: list[object] = ["1", True, False, None, [1], {}]
    if whole:
        wrong += [1.0, math.nan]
    for value in wrong:
        assert refusal(**{name: value}) == f"policy field {name}: {value!r} is not {wanted}; {allowed}"


COMPANIONS: dict[str, dict[str, object]] = {
    "command_deadline_s": {"lease_duration_s": 600},
    "lease_renew_s": {"lease_duration_s": 600},
    "lease_duration_s": {"command_deadline_s": 0.5, "lease_renew_s": 0.1},
}
"""What else must be given so that an extreme value alone is judged."""


@pytest.mark.parametrize(("name", "_default", "allowed", "_doc"), NUMBERS)
def test_the_ends_of_each_range_are_allowed(name: str, _default: str, allowed: str, _doc: str) -> None:
    """Both ends belong to the range, and an int is a number."""
    for value in bounds(allowed):
        whole = fields(Policy)[[f.name for f in fields(Policy)].index(name)].type is int
        given_values = {**COMPANIONS.get(name, {}), name: int(value) if whole else value}
        assert getattr(parse_policy(given_values), name) == value


def test_the_defaults_are_those_of_the_design() -> None:
    """Names, defaults and units of design 6, as far as this version acts on them."""
    shown = {name: default for name, default, _allowed, _doc in describe_policy()}
    assert shown == {
        "eligible": "first two instances",
        "data_durability": "preferred",
        "standby_grace_s": "5",
        "probe_interval_s": "0.2",
        "probe_timeout_s": "0.5",
        "refused_count": "2",
        "refused_gap_s": "0.05",
        "frozen_count": "4",
        "frozen_standby_s": "3",
        "restart_frozen_main_s": "60",
        "main_restart_limit": "3",
        "main_restart_window_s": "600",
        "failover_limit": "5",
        "failover_window_s": "600",
        "proof_interval_s": "1",
        "command_deadline_s": "5",
        "lease_duration_s": "10",
        "lease_renew_s": "2",
        "hold_max_s": "30",
        "hold_max_connections": "1000",
        "drain_s": "2",
        "quiesce_max_s": "0.5",
        "catch_up_max_s": "2",
        "read_max_behind": "1000",
        "auto_reinit": "proven",
        "users": "none",
        "triggers": "report",
        "tilt_gap_s": "1",
    }


def test_every_field_is_described() -> None:
    """The reference has a line for each, with a meaning."""
    assert [name for name, _default, _allowed, _doc in describe_policy()] == [f.name for f in fields(Policy)]
    assert all(doc for _name, _default, _allowed, doc in describe_policy())


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (["m0"], "['m0'] does not name two different instances"),
        (["m0", "m0"], "['m0', 'm0'] does not name two different instances"),
        (["m0", "m1", "m2"], "does not name two different instances"),
        (["m0", ""], "is not a list of instance names"),
        (["m0", 1], "is not a list of instance names"),
        ("m0,m1", "'m0,m1' is not a list of instance names"),
        (None, "None is not a list of instance names"),
        ({"m0": 1}, "is not a list of instance names"),
    ],
)
def test_eligible_names_exactly_two(value: object, says: str) -> None:
    """A pair is two different names, or nothing for the first two."""
    text = refusal(eligible=value)
    assert text.startswith("policy field eligible: ")
    assert says in text


def test_eligible_takes_two_names_or_none() -> None:
    """Lists come from TOML."""
    assert parse_policy({"eligible": ["m2", "m0"]}).eligible == ("m2", "m0")
    assert parse_policy({"eligible": []}).eligible == ()


@pytest.mark.parametrize("value", ["async", "", "PREFERRED", None, 1, True])
def test_data_durability_is_one_of_two_words(value: object) -> None:
    """Anything else is refused with the two words."""
    text = refusal(data_durability=value)
    assert text == f"policy field data_durability: {value!r} is unknown; allowed are 'preferred' and 'required'"


@pytest.mark.parametrize("word", DataDurability)
def test_data_durability_may_be_a_word_or_the_value(word: DataDurability) -> None:
    """TOML gives a word, a program the value."""
    assert parse_policy({"data_durability": word.value}).data_durability is word
    assert parse_policy({"data_durability": word}).data_durability is word


def test_an_unknown_field_is_refused_with_the_known_ones() -> None:
    """A typing error does not become a default."""
    text = refusal(standby_grace=5)
    assert text.startswith("policy field 'standby_grace' does not exist; known are eligible, data_durability,")
    assert "standby_grace_s" in text


def test_a_command_must_end_while_we_lead() -> None:
    """The deadline stays below the lease minus its margin."""
    text = refusal(command_deadline_s=9)
    assert text.startswith("policy field command_deadline_s: 9 s must be shorter than lease_duration_s minus 1 s (9 s)")
    assert parse_policy({"command_deadline_s": 8.99}).command_deadline_s == 8.99


def test_a_lease_leaves_time_for_a_second_renewal() -> None:
    """One lost renewal must not lose the lease."""
    text = refusal(lease_renew_s=4.6)
    assert text.startswith("policy field lease_renew_s: 4.6 s leaves no second try within lease_duration_s (10 s)")
    assert "give at most 4.5 s" in text
    assert parse_policy({"lease_renew_s": 4.5}).lease_renew_s == 4.5


@given(st.dictionaries(st.sampled_from([f.name for f in fields(Policy)]) | st.text(), st.from_type(object), max_size=4))
def test_any_values_make_a_policy_or_a_policy_error(given_values: dict[str, object]) -> None:
    """Making a policy is total: nothing else is ever raised."""
    try:
        made = parse_policy(given_values)
    except PolicyError as error:
        assert str(error).startswith("policy field ")  # noqa: PT017 - either outcome is right; another exception is not
    else:
        assert isinstance(made, Policy)
