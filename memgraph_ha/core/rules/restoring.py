"""What a promotion makes Memgraph forget, restored before read/write opens: accounts and triggers (rules O42, O44)."""

from memgraph_ha.core.commands import RestoreTriggers, RestoreUsers
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.rules.standing import SHORT_S
from memgraph_ha.core.view import View


def restore_users(view: View) -> Decision | Unmet:
    """Create the accounts that Memgraph forgot.

    When: policy `users` is `restore`, MAIN's first commit is acknowledged, and they were not restored in this reign
        and in our term.
    Then: CREATE USER IF NOT EXISTS for each; until it is done read/write is shut.
    Protects: access: a promoted replica of the official build has no accounts, and lets everybody in.
    After: O40 (the fence first).  Before: O50 and every permit.
    Source: design 5 (users), 6 (New term); semantics 9; scenarios H8.
    """
    record, role = view.record, view.main_role
    if record is None or role is None or view.noop_in_reign is None:
        return Unmet("MAIN's first commit is acknowledged")
    if view.users_restored:
        return Unmet("accounts are to be restored", "they are, or policy users is none")
    if not view.may_try(RestoreUsers, record.main):
        return Unmet("the pause after the last try is over", view.last_outcome(RestoreUsers, record.main))
    return Decision(
        reason=f"create on {record.main} the accounts that it may have forgotten",
        commands=(RestoreUsers(instance=record.main, run=role.run, generation=record.generation),),
        wake_at_s=view.now_s + SHORT_S,
    )


def restore_triggers(view: View) -> Decision | Unmet:
    """Create the triggers that never reached the replica which is MAIN now.

    When: policy `triggers` is `restore`, the reign is not open, its first commit is acknowledged, the record knows
        triggers, and they were not restored in this reign.
    Then: CREATE TRIGGER for each that is missing; until it is done read/write is shut.
    Protects: what triggers do is done for every write of the reign.
    After: O42.  Before: O50.
    Source: design 5 (triggers are not replicated); transcripts Q21.
    """
    record, role = view.record, view.main_role
    if record is None or record.opened or role is None or view.noop_in_reign is None:
        return Unmet("the reign is ready to open")
    if view.triggers_restored:
        return Unmet("triggers are to be restored", "they are, or nobody wants it")
    if not view.may_try(RestoreTriggers, record.main):
        return Unmet("the pause after the last try is over", view.last_outcome(RestoreTriggers, record.main))
    names = ", ".join(trigger.name for trigger in record.triggers)
    command = RestoreTriggers(
        instance=record.main, run=role.run, generation=record.generation, triggers=record.triggers
    )
    return Decision(
        reason=f"create on {record.main} the triggers {names}", commands=(command,), wake_at_s=view.now_s + SHORT_S
    )
