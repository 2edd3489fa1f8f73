"""Bringing back on a promoted MAIN what Memgraph does not replicate: users and triggers (transcripts Q2, Q21)."""

from typing import Final

from memgraph_ha.adapters.accounts import Account, Accounts
from memgraph_ha.adapters.memgraph.commands import unfit_main
from memgraph_ha.adapters.memgraph.connection import BoltConnection, QueryRefusedError
from memgraph_ha.adapters.memgraph.errand import End, Errand
from memgraph_ha.adapters.memgraph.reading import read_triggers, read_users
from memgraph_ha.core.commands import RestoreTriggers, RestoreUsers
from memgraph_ha.core.cypher import create_trigger, name_literal, string_literal
from memgraph_ha.core.facts import Outcome, TriggersSeen
from memgraph_ha.core.messages import ErrorClass

TELLING: Final = 4
"""So many characters of a password in a row, found in a server's text, and the text is withheld."""


async def restore_users(errand: Errand, command: RestoreUsers, accounts: Accounts | None) -> End:
    """Create on MAIN every account that it lacks, the controller's own first.

    From the first one on new connections need a login; sessions that are open, ours too, go on unchecked (transcripts
    Q2). An account that is there keeps its password: what was changed on a living MAIN is not undone. Each costs
    ~0.2 s of bcrypt; what the deadline cuts off, the next try continues.

    Args:
        errand: To MAIN.
        command: What is expected of it.
        accounts: Which; None: there is no file.

    Returns:
        ``DONE`` if SHOW USERS lists all of them; ``REFUSED`` with the name of the account that failed, never with
        a password.
    """
    if accounts is None:
        return End(Outcome.REFUSED, "there are no accounts: name an accounts file, or set policy users to 'none'")
    async with errand.instance.commands.talk() as connection:
        unfit = await unfit_main(errand, connection, command.run)
        if unfit is not None:
            return unfit
        present = await read_users(connection)
        for account in accounts.everyone:
            if account.key not in present:
                failed = await _create_user(errand, connection, account)
                if failed is not None:
                    return failed
        present = await read_users(connection)
    missing = [account.user for account in accounts.everyone if account.key not in present]
    if missing:
        return End(Outcome.REFUSED, f"CREATE USER was answered, but SHOW USERS lacks {', '.join(missing)}")
    return End(Outcome.DONE)


async def _create_user(errand: Errand, connection: BoltConnection, account: Account) -> End | None:
    """Create one user; None if that was done. Busy system queries are waited for (semantics 2.0)."""
    statement = (
        f"CREATE USER IF NOT EXISTS {name_literal(account.user)} IDENTIFIED BY {string_literal(account.password)}"
    )
    while True:
        refusal = await errand.send(connection, statement)
        if refusal is None:
            return None
        text = f"account {account.user!r} was not created: {_without_password(refusal, account)}"
        if refusal.meaning is not ErrorClass.BUSY:
            return End(Outcome.REFUSED, text, refusal.meaning)
        errand.refusal = QueryRefusedError(text)  # what the deadline reports
        await errand.pause()


def _without_password(refusal: QueryRefusedError, account: Account) -> str:
    """The server's text, or what it means if it quotes the statement: syntax errors do (raw recording c)."""
    secret = account.password
    parts = {secret[start : start + TELLING] for start in range(max(1, len(secret) - TELLING + 1))}
    if any(part in refusal.message for part in parts):
        return f"{refusal.meaning.value} (the server's text is withheld: it may quote the password)"
    return refusal.message


async def restore_triggers(errand: Errand, command: RestoreTriggers) -> End:
    """Create on MAIN every trigger whose name it lacks, then report what it has.

    One that is there under its name is left as it is, whatever it does: somebody made it on this MAIN.

    Returns:
        ``DONE`` if SHOW TRIGGERS lists all names; else ``REFUSED`` with each that failed and the server's text.
    """
    async with errand.instance.commands.talk() as connection:
        unfit = await unfit_main(errand, connection, command.run)
        if unfit is not None:
            return unfit
        present = _names(await _report_triggers(errand, connection))
        refusals: dict[str, QueryRefusedError] = {}
        for trigger in command.triggers:
            if trigger.name not in present:
                refusal = await errand.send(connection, create_trigger(trigger))
                if refusal is not None:
                    refusals[trigger.name] = refusal
        present = _names(await _report_triggers(errand, connection))
    missing = [trigger.name for trigger in command.triggers if trigger.name not in present]
    if not missing:
        return End(Outcome.DONE)
    return End(
        Outcome.REFUSED,
        "; ".join(
            f"trigger {name!r} was not created: {refusals[name].message if name in refusals else 'no reason given'}"
            for name in missing
        ),
        next((refusals[name].meaning for name in missing if name in refusals), None),
    )


async def _report_triggers(errand: Errand, connection: BoltConnection) -> TriggersSeen:
    seen = await read_triggers(connection, errand.instance.member.name, errand.clock)
    errand.report(seen)
    return seen


def _names(seen: TriggersSeen) -> frozenset[str]:
    return frozenset(trigger.name for trigger in seen.triggers)
