"""The accounts file: whom the controller logs in as, and whom it creates again after a promotion (policy ``users``).

With the official build a REGISTER deletes every user on the replica, so a promoted one has none (transcripts Q2).
Community knows users but neither roles nor privileges (semantics 2.0): a name and a password is all there is.

::

    [controller]
    user = "memgraph-ha"
    password = "..."

    [[account]]
    user = "app"
    password = "..."
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import field, frozen

_FIELDS: Final = frozenset({"user", "password"})
_TABLES: Final = frozenset({"controller", "account"})
_OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO
_GROUP_MAY_READ: Final = stat.S_IRGRP


class AccountsError(ValueError):
    """The accounts file cannot be used: names the file, the field and what to do; never a password."""


@frozen(kw_only=True)
class Account:
    """One user.

    Attributes:
        user: The name; Memgraph keeps it in lower case (its auth.cpp), so case tells no two apart.
        password: Never in a repr, a log, a fact or an error.
    """

    user: str
    password: str = field(repr=False)

    @property
    def key(self) -> str:
        """The name as SHOW USERS prints it."""
        return self.user.lower()


@frozen(kw_only=True)
class Accounts:
    """What the accounts file holds.

    Attributes:
        controller: Whom the controller itself logs in as.
        others: The applications' accounts, in the file's order.
    """

    controller: Account
    others: tuple[Account, ...] = ()

    @property
    def everyone(self) -> tuple[Account, ...]:
        """All of them, the controller first: once one user exists, whoever has none cannot log in any more."""
        return (self.controller, *self.others)

    @property
    def auth(self) -> tuple[str, str]:
        """The controller's user and password, as `MemgraphDatabase` takes them."""
        return self.controller.user, self.controller.password


def load_accounts(path: Path, *, controller: Account | None = None, group_reads: bool = False) -> Accounts:
    """Read the accounts file.

    Args:
        path: A TOML file that only its owner may read (``chmod 600``).
        controller: Whom the controller logs in as, if that is said elsewhere too: then the file may leave it out.
        group_reads: Whether its group may read it as well: a Secret's file belongs to root, and reaches whoever is
            not root through the pod's ``fsGroup`` alone (Kubernetes documentation, "Configure a Security Context").

    Returns:
        Its accounts; every name is there once, whatever its case, and no password is empty: Memgraph's default
        ``--auth-password-strength-regex`` ``.+`` refuses an empty one.

    Raises:
        AccountsError: It cannot be read, others than its owner may read it, or it holds something else.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & (_OTHERS_MAY & ~_GROUP_MAY_READ if group_reads else _OTHERS_MAY):
                raise AccountsError(
                    f"accounts file {path} has mode {mode:03o}: others could read the passwords; run 'chmod 600 {path}'"
                )
            raw = tomllib.load(file)
    except OSError as error:
        raise AccountsError(f"accounts file {path}: {error.strerror}; name a file that we may read") from error
    except UnicodeDecodeError:
        raise AccountsError(f"accounts file {path} is not UTF-8: save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise AccountsError(f"accounts file {path} is no TOML: {error}") from None
    return _Reader(path, controller).accounts(raw)


class _Reader:
    """Turns the file's tables into accounts; every complaint names file, field and fix."""

    def __init__(self, path: Path, controller: Account | None) -> None:
        self._path, self._controller = path, controller

    def accounts(self, raw: Mapping[str, object]) -> Accounts:
        self._known(raw, _TABLES, "")
        controller = self._controller
        if controller is None or "controller" in raw:
            controller = self._account(raw.get("controller"), "[controller]")
        if self._controller not in (None, controller):
            raise self._wrong("[controller]", "is not whom the controller logs in as: give the same, or leave it out")
        listed = raw.get("account", [])
        if not isinstance(listed, list):
            raise self._wrong("account", "must be a list of tables: write [[account]], not [account]")
        others = tuple(self._account(each, f"[[account]] number {place}") for place, each in enumerate(listed, 1))
        seen: set[str] = set()
        for account in (controller, *others):
            if account.key in seen:
                raise self._wrong("user", f"{account.user!r} is there twice (case does not matter): remove one")
            seen.add(account.key)
        return Accounts(controller=controller, others=others)

    def _account(self, raw: object, where: str) -> Account:
        if not isinstance(raw, dict):
            raise self._wrong(where, "must be a table with user and password")
        self._known(raw, _FIELDS, f"{where} ")
        return Account(user=self._text(raw, "user", where), password=self._text(raw, "password", where))

    def _text(self, raw: Mapping[str, object], name: str, where: str) -> str:
        value = raw.get(name)
        if not isinstance(value, str) or not value:
            raise self._wrong(f"{where} {name}", "must be a text that is not empty, in quotation marks")
        return value

    def _known(self, raw: Mapping[str, object], allowed: frozenset[str], where: str) -> None:
        for name in sorted(set(raw) - allowed):
            raise self._wrong(f"{where}{name}", f"is not known: allowed are {', '.join(sorted(allowed))}")

    def _wrong(self, name: str, what: str) -> AccountsError:
        return AccountsError(f"accounts file {self._path}: {name} {what}")
