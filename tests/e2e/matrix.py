"""Every scenario of the catalogue's sections A, B, F, G, H and J, and the tests that play it with real processes."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

COUNTS: Final[Mapping[str, int]] = {"A": 7, "B": 7, "F": 5, "G": 7, "H": 9, "J": 6}
"""How many scenarios the catalogue has in each section that must be complete here."""

SECTIONS: Final[Mapping[str, str]] = {
    "A": "The MAIN process, its instance, its machine",
    "B": "Replicas",
    "C": "Network",
    "D": "The controllers",
    "E": "The record and the lease",
    "F": "Return of the old MAIN, divergence",
    "G": "Volumes and bootstrap",
    "H": "Operations",
    "J": "Clients and gateways",
}


@frozen
class Scenario:
    """One scenario of the catalogue.

    Attributes:
        id: Its id there.
        what: What fails.
        tests: Which tests play it, as ``file.function`` in tests/e2e; empty only with a reason in ``without``.
        without: What of it is not played with real processes on one machine, and why; empty if nothing.
    """

    id: str
    what: str
    tests: tuple[str, ...] = ()
    without: str = ""


_HELD_BY_SIM: Final = "tests/sim plays it in virtual time"

SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario("A1", "MAIN's process crashes and is started again", ("test_main_lost.test_kill_main",)),
    Scenario(
        "A2",
        "MAIN dies between its local commit and Finalize",
        (
            "test_diverged.test_main_frozen_in_the_middle_of_commits",
            "test_diverged.test_a_diverged_old_main_is_rebuilt_by_itself",
        ),
        "the exact moment cannot be hit from outside; the state that it leaves is made by hand",
    ),
    Scenario(
        "A3",
        "MAIN hangs and wakes again",
        ("test_main_lost.test_freeze_main", "test_reign_steps.test_freeze_the_next_main_at_steps_of_its_reign"),
    ),
    Scenario("A4", "an announced stop of MAIN (preStop)", ("test_rolling.test_an_announced_stop_of_each_role",)),
    Scenario(
        "A5",
        "a forced deletion, or the machine is gone",
        ("test_partitions.test_partition", "test_both_lost.test_everything_dies_at_once"),
        "a pod that stays Terminating for ever needs Kubernetes; here MAIN is unheard, and ended by its pid",
    ),
    Scenario(
        "A6",
        "readiness flaps, MAIN is slow but commits",
        ("test_flapping.test_a_main_that_stutters_goes_on",),
        "readiness is Kubernetes' word; here MAIN stands still for less than a probe waits",
    ),
    Scenario(
        "A7",
        "crash loop, full disk",
        (
            "test_flapping.test_an_instance_that_crashes_again_and_again",
            "test_flapping.test_an_instance_that_exits_at_every_start",
            "test_full_disk.test_case",
            "test_main_disk.test_the_disk_of_main_alone_is_full",
        ),
    ),
    Scenario(
        "B1",
        "the standby crashes, MAIN is fine",
        (
            "test_standby_lost.test_kill_standby",
            "test_flapping.test_an_instance_that_exits_at_every_start",
            "test_cut.test_cut",
            "test_durability.test_required_acknowledges_nothing_while_the_standby_is_away",
            "test_durability.test_preferred_goes_on_after_the_grace_and_says_so_first",
        ),
    ),
    Scenario(
        "B2",
        "the standby crashes, then MAIN",
        ("test_reign_steps.test_the_standby_dies_then_main", "test_reign_steps.test_killed_at_the_same_moment"),
    ),
    Scenario(
        "B3",
        "MAIN crashes, then the standby before or while it is promoted; both return in any order",
        (
            "test_reign_steps.test_kill_the_next_main_at_any_step_of_its_reign",
            "test_reign_steps.test_main_then_its_standby",
            "test_both_lost.test_kill_both_and_return_closely",
            "test_both_lost.test_a_standby_that_returns_alone_is_not_promoted",
        ),
    ),
    Scenario(
        "B4",
        "the standby hangs",
        (
            "test_standby_lost.test_freeze_standby",
            "test_standby_lost.test_a_hundred_frozen_moments_leave_nothing_behind",
            "test_partitions.test_partition",
        ),
    ),
    Scenario(
        "B5",
        "the ASYNC replica is away at a failover",
        (
            "test_partitions.test_main_lost_while_the_async_replica_is_cut_off",
            "test_reign_steps.test_killed_at_the_same_moment",
        ),
    ),
    Scenario(
        "B6",
        "MAIN dies while its standby still catches up",
        ("test_reign_steps.test_the_standby_dies_then_main", "test_wiped.test_wiped_main_without_a_standby"),
    ),
    Scenario("B7", "mode SYNC instead of STRICT_SYNC", without="impossible: only STRICT_SYNC is supported"),
    Scenario("C1", "controller and MAIN lose each other", ("test_partitions.test_partition",)),
    Scenario("C2", "MAIN and its standby lose each other", ("test_partitions.test_partition", "test_cut.test_cut")),
    Scenario("C5", "one direction of a link is lost", ("test_partitions.test_partition",)),
    Scenario(
        "C7",
        "the ASYNC replica is cut off and returns after a failover",
        ("test_partitions.test_main_lost_while_the_async_replica_is_cut_off",),
    ),
    Scenario(
        "D1",
        "the controller crashes between any two steps",
        ("test_controllers.test_kill_the_controller_between_any_two_steps_of_a_reign",),
    ),
    Scenario(
        "D3",
        "the leader is paused for longer than its lease",
        (
            "test_controllers.test_a_frozen_leader_is_replaced_and_relays_nothing_afterwards",
            "test_controllers.test_an_answer_that_waits_in_a_frozen_leader_is_not_relayed",
        ),
    ),
    Scenario(
        "D5",
        "a standby controller must lead",
        ("test_controllers.test_the_second_controller_takes_over_from_a_killed_one",),
    ),
    Scenario(
        "D6",
        "all controllers are down while MAIN dies",
        ("test_break_glass.test_a_standby_promoted_by_hand_is_adopted", "test_both_lost.test_everything_dies_at_once"),
    ),
    Scenario("E2", "the record is deleted", ("test_bad_record.test_spoilt_records",)),
    Scenario(
        "E3",
        "the record is corrupt",
        ("test_bad_record.test_spoilt_records", "test_bad_record.test_a_start_on_a_corrupt_record"),
    ),
    Scenario("E4", "the record is rolled back", ("test_bad_record.test_a_record_restored_from_before_a_failover",)),
    Scenario(
        "F1",
        "the old MAIN returns with the same data",
        ("test_main_lost.test_kill_main", "test_main_lost.test_freeze_main"),
    ),
    Scenario(
        "F2",
        "the old MAIN returns with commits of its own",
        (
            "test_diverged.test_a_diverged_old_main_is_rebuilt_by_itself",
            "test_diverged.test_a_diverged_old_main_waits_for_a_human_if_told_to",
        ),
    ),
    Scenario(
        "F3",
        "the old MAIN pushes to the ASYNC replica before it is fenced",
        ("test_diverged.test_a_diverged_old_main_is_rebuilt_by_itself",),
        f"an init file makes it return as REPLICA, so it pushes nothing; without one: {_HELD_BY_SIM}",
    ),
    Scenario("F4", "MAIN lost its last commits and returns", ("test_volumes.test_mains_volume_is_rolled_back",)),
    Scenario(
        "F5",
        "a healthy replica is called diverged",
        without=f"only versions below 3.6.0 do it, which are unsupported; {_HELD_BY_SIM}",
    ),
    Scenario("G1", "MAIN's volume is lost", ("test_wiped.test_wiped_main_with_a_standby",)),
    Scenario(
        "G2",
        "the standby's volume is lost, then MAIN dies",
        ("test_volumes.test_the_standby_is_emptied_and_main_dies",),
    ),
    Scenario("G3", "both of the pair lose their volumes", ("test_volumes.test_both_of_the_pair_are_emptied",)),
    Scenario(
        "G4",
        "first start, in any order",
        ("test_controllers.test_kill_the_controller_between_any_two_steps_of_a_reign",),
        f"every cluster here begins fresh; `local` starts all instances at once, other orders: {_HELD_BY_SIM}",
    ),
    Scenario("G5", "no record, and more than one choice", ("test_ambiguous.test_nobody_is_chosen_by_role_alone",)),
    Scenario("G6", "no record, and MAIN is emptied", ("test_ambiguous.test_nobody_is_chosen_by_role_alone",)),
    Scenario(
        "G7",
        "the ASYNC replica is MAIN with data",
        (
            "test_break_glass.test_an_async_replica_promoted_by_hand_is_never_demoted_unasked",
            "test_strays.test_stray_async_replica",
        ),
    ),
    Scenario("H1", "a rolling restart under load", ("test_rolling.test_two_rolling_restarts_back_to_back",)),
    Scenario("H2", "two rolling restarts back to back", ("test_rolling.test_two_rolling_restarts_back_to_back",)),
    Scenario(
        "H3",
        "the preStop hook is given up, or nobody leads",
        ("test_rolling.test_a_hook_that_is_given_up_and_a_stop_that_nobody_announced",),
    ),
    Scenario("H4", "3, 5, 2 and 3 instances", ("test_members.test_three_five_two_three",)),
    Scenario(
        "H5",
        "another process listens at MAIN's address",
        ("test_clients.test_a_stranger_on_mains_port_gets_no_byte",),
        "pod IPs and UIDs need Kubernetes; here it is the same address and port",
    ),
    Scenario(
        "H6",
        "a human sets roles",
        (
            "test_strays.test_stray_async_replica",
            "test_strays.test_stray_standby",
            "test_strays.test_main_demoted_by_hand",
            "test_break_glass.test_a_standby_promoted_by_hand_is_adopted",
            "test_break_glass.test_a_standby_promoted_beside_a_living_main_keeps_its_writes",
            "test_break_glass.test_an_async_replica_promoted_by_hand_is_never_demoted_unasked",
            "test_break_glass.test_the_record_is_lost_while_a_human_reigns",
        ),
    ),
    Scenario("H7", "foreign and half registrations", ("test_foreign.test_a_row_of_nobody_is_left_alone",)),
    Scenario(
        "H8",
        "one instance refuses our password",
        without=f"not played here: an account cannot be changed on one replica alone; {_HELD_BY_SIM}",
    ),
    Scenario(
        "H9",
        "analytical mode, a long transaction, other versions",
        (
            "test_foreign.test_analytical_mode_is_named_and_nobody_is_promoted",
            "test_foreign.test_a_switchover_ends_a_transaction_that_never_ends",
        ),
        "versions that cannot replicate to each other need real servers of both",
    ),
    Scenario(
        "J1",
        "writes in flight at the cut",
        (
            "test_main_lost.test_a_raw_socket_is_held_during_a_failover",
            "test_clients.test_a_transaction_that_lives_longer_than_main",
            "test_diverged.test_main_frozen_in_the_middle_of_commits",
        ),
    ),
    Scenario(
        "J2", "a long transaction across a failover", ("test_clients.test_a_transaction_that_lives_longer_than_main",)
    ),
    Scenario("J3", "2000 clients reconnect at once", ("test_storm.test_two_thousand_clients_reconnect_at_once",)),
    Scenario(
        "J4",
        "an acknowledgement is lost on its way",
        (
            "test_controllers.test_an_answer_that_waits_in_a_frozen_leader_is_not_relayed",
            "test_main_lost.test_kill_main",
        ),
    ),
    Scenario(
        "J5", "the reader's instance is promoted", ("test_clients.test_a_reader_of_whoever_is_promoted_is_cut_before",)
    ),
    Scenario(
        "J6",
        "a controller that does not lead is still asked",
        (
            "test_controllers.test_a_frozen_leader_is_replaced_and_relays_nothing_afterwards",
            "test_operator.test_hand_over_and_observe",
        ),
        "a stale Service endpoint needs Kubernetes; here it is a client's own connection",
    ),
)


def page() -> str:
    """Write docs/reference/scenarios.md."""
    lines = [
        "<!-- made by scripts/generate_scenarios.py from tests/e2e/matrix.py: change that, not this page -->",
        "# Scenarios played with real processes",
        "",
        "Each test starts `memgraph-ha local` with processes of its own, writes through the gateway, does the fault,",
        "and in the end looks for every acknowledged write on every instance. Those that take long run with",
        "`make slow`, and the longest with `make matrix` only; links are cut in network name spaces of their own.",
        "Sections A, B, F, G, H and J are complete; of the others the scenarios that need no Kubernetes are listed.",
    ]
    for section, title in SECTIONS.items():
        lines += ["", f"## {section}. {title}", "", "| | What fails | Tests | Not played here |", "|---|---|---|---|"]
        lines += [_row(each) for each in SCENARIOS if each.id[0] == section]
    return "\n".join(lines) + "\n"


def _row(scenario: Scenario) -> str:
    links = []
    for name in scenario.tests:
        file, _, function = name.partition(".")
        links.append(f"[`{function}`](../../tests/e2e/{file}.py)")
    return f"| {scenario.id} | {scenario.what} | {', '.join(links)} | {scenario.without} |"
