"""Users and logins (transcripts Q2; semantics 2.5)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from . import texts
from .disk import JsonMap
from .effects import Offload, Persist, Procedure
from .errors import MemgraphError
from .instance import Instance
from .workers import Workers, enter

# As long as bcrypt takes on a real server (transcripts Q2, Q14); `Settings.hashing_rounds` take the executable as long.
HASHING_S: Final = 0.2


def log_in(instance: Instance, workers: Workers, scheme: str, principal: str, credentials: str) -> Procedure[None]:
    """Check a login on a worker; the express one will do, so queries do not hold it up (Q4).

    Raises:
        MemgraphError: Unknown user or wrong password.
    """
    seat = yield from enter(workers, express=True)
    try:
        yield from authenticate(instance, scheme, principal, credentials)
    finally:
        workers.give_back(seat)


def authenticate(instance: Instance, scheme: str, principal: str, credentials: str) -> Procedure[None]:
    """Check a login; without users anybody is let in, whatever the credentials (transcripts Q2).

    Raises:
        MemgraphError: Unknown user or wrong password.
    """
    if not instance.users:
        return
    name = principal if scheme == "basic" else ""
    user = instance.users.get(_key(name))
    if user is None:
        instance.log_line("warning", f"Couldn't authenticate user '{name}' because the user doesn't exist.")
        raise MemgraphError.unauthenticated()
    if not (yield from _matches(instance, user, credentials)):
        instance.log_line("warning", f"Couldn't authenticate user '{name}' because the password is not correct.")
        raise MemgraphError.unauthenticated()


def _key(name: str) -> str:
    """Return how a user is stored and listed: in lower case (auth.cpp; semantics 9.2 says nothing of it)."""
    return name.lower()


def _matches(instance: Instance, user: JsonMap, password: str) -> Procedure[bool]:
    if user["hash"] is None:
        return True
    rounds = instance.settings.hashing_rounds
    found = yield Offload(lambda: _digest(password, bytes.fromhex(user["salt"]), rounds), HASHING_S)
    return hmac.compare_digest(str(found), user["hash"])


def _digest(password: str, salt: bytes, rounds: int) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds).hex()


def _hashed(instance: Instance, password: str | None) -> Procedure[JsonMap]:
    if password is None:
        return {"salt": "", "hash": None}
    salt, rounds = instance.chance.uuid().replace("-", ""), instance.settings.hashing_rounds
    found = yield Offload(lambda: _digest(password, bytes.fromhex(salt), rounds), HASHING_S)
    return {"salt": salt, "hash": str(found)}


def create_initial_user(instance: Instance) -> Procedure[None]:
    """Create the user of `MEMGRAPH_USER` at every start, whatever the role (transcripts Q2)."""
    if instance.settings.initial_user is None:
        return
    name, password = _key(instance.settings.initial_user[0]), instance.settings.initial_user[1]
    if name not in instance.users:
        instance.users[name] = yield from _hashed(instance, password)
        yield Persist((instance.users_record(),))


def create_user(instance: Instance, name: str, password: str | None, *, if_not_exists: bool) -> Procedure[None]:
    """CREATE USER; an existing one keeps its password with IF NOT EXISTS (transcripts Q2).

    Raises:
        MemgraphError: On a REPLICA, or the user exists.
    """
    _require_main(instance)
    if _key(name) in instance.users:
        if if_not_exists:
            return
        raise MemgraphError.client(f"User '{name}' already exists.")
    user = yield from _hashed(instance, password)
    instance.users[_key(name)] = user
    yield Persist((instance.users_record(),))


def set_password(instance: Instance, name: str, password: str | None) -> Procedure[None]:
    """SET PASSWORD FOR.

    Raises:
        MemgraphError: On a REPLICA, or no such user.
    """
    _require_main(instance)
    if _key(name) not in instance.users:
        raise MemgraphError.client(f"User '{name}' doesn't exist.")
    user = yield from _hashed(instance, password)
    instance.users[_key(name)] = user
    yield Persist((instance.users_record(),))


def drop_user(instance: Instance, name: str) -> Procedure[None]:
    """DROP USER; sessions that are open go on (transcripts Q2).

    Raises:
        MemgraphError: On a REPLICA, or no such user.
    """
    _require_main(instance)
    if _key(name) not in instance.users:
        raise MemgraphError.client(f"User '{name}' doesn't exist.")
    del instance.users[_key(name)]
    yield Persist((instance.users_record(),))


def _require_main(instance: Instance) -> None:
    if not instance.is_main:
        official = instance.settings.official
        raise MemgraphError.client(texts.USERS_ON_REPLICA_OFFICIAL if official else texts.USERS_ON_REPLICA_COMMUNITY)
