"""The policy of a running controller: what the operator chose, what of it is in force, and how it is changed."""

from collections.abc import Callable, Mapping
from typing import Final

import structlog
import trio
from attrs import evolve

from memgraph_ha.adapters.datadir import DataDir, DataDirError
from memgraph_ha.adapters.json_fields import FieldError
from memgraph_ha.api.control import NotSupported
from memgraph_ha.api.documents import plain_policy
from memgraph_ha.core import Policy, PolicyError, parse_policy
from memgraph_ha.core.policy import Users
from memgraph_ha.local.cluster import policy_of
from memgraph_ha.local.options import LocalOptions
from memgraph_ha.runtime.policies import RESTART_FIELDS
from memgraph_ha.runtime.usage import UsageError

_NO_ACCOUNTS: Final = (
    "policy field users: 'restore' needs to know which; start `memgraph-ha local` with --accounts FILE, "
    "or with --set users=none"
)

_log = structlog.get_logger()


def check_accounts(options: LocalOptions) -> None:
    """Check that the accounts file is there if the policy that was given needs one.

    Raises:
        UsageError: It is not.
    """
    if options.policy.get("users") == Users.RESTORE.value and options.accounts is None:
        raise UsageError(_NO_ACCOUNTS)


class Policies:
    """Implements the policy part of `Control` on ``policy.toml``.

    Args:
        datadir: Where it is kept.
        given: What ``--policy`` and ``--set`` said; it wins in this run, and is not kept.
        accounts: Whether this controller has an accounts file.

    Attributes:
        chosen: What the operator chose, also where it takes effect at the next start only.

    Raises:
        UsageError: What is kept is not allowed, or not together with what was given, or needs an accounts file.
    """

    def __init__(self, datadir: DataDir, given: Mapping[str, object], *, accounts: bool) -> None:
        self._datadir, self._given, self._accounts = datadir, given, accounts
        self.chosen = self._started = self._load()
        self._put: Callable[[Policy], None] = _nowhere

    @property
    def in_force(self) -> Policy:
        """What this controller goes by."""
        kept = {name: getattr(self._started, name) for name in RESTART_FIELDS}
        return evolve(self.chosen, **kept)

    def serve(self, put: Callable[[Policy], None]) -> None:
        """Put every policy in force from now on by calling this, the present one at once."""
        self._put = put
        put(self.in_force)

    async def apply(self, policy: Policy) -> None:
        """Put another policy in force, and keep what is new in it for the next controllers.

        Only what differs from the present choice is kept, beside what was kept before: neither the defaults, which
        a later version may change, nor what was given for this run.

        Args:
            policy: All of it.

        Raises:
            NotSupported: It cannot be kept, or not be used by a next controller; nothing was changed.
        """
        old, new = plain_policy(self.chosen), plain_policy(policy)
        patch = {name: value for name, value in new.items() if value != old[name]}
        if self._lacks_accounts(policy):
            raise NotSupported(_NO_ACCOUNTS)
        try:
            await trio.to_thread.run_sync(self._keep, patch)
        except (DataDirError, FieldError) as error:
            raise NotSupported(str(error)) from None
        except PolicyError as error:
            raise NotSupported(f"with what is kept in {self._datadir.path / 'policy.toml'}: {error}") from None
        self._choose(policy)

    async def reread(self) -> None:
        """Follow what another controller kept meanwhile; what cannot be used is logged, and nothing changes."""
        try:
            policy = await trio.to_thread.run_sync(self._load)
        except UsageError as error:
            _log.error("the policy stays as it was", error=str(error))
            return
        self._choose(policy)

    def _load(self) -> Policy:
        policy = policy_of(self._datadir, self._given)
        if self._lacks_accounts(policy):
            raise UsageError(_NO_ACCOUNTS)
        return policy

    def _lacks_accounts(self, policy: Policy) -> bool:
        return policy.users is Users.RESTORE and not self._accounts

    def _keep(self, patch: Mapping[str, object]) -> None:
        values = {**self._datadir.load_policy(), **patch}
        parse_policy(values)
        self._datadir.save_policy(values)

    def _choose(self, policy: Policy) -> None:
        if policy != self.chosen:
            old, new = plain_policy(self.chosen), plain_policy(policy)
            _log.info("policy", **{name: new[name] for name in new if new[name] != old[name]})
            self.chosen = policy
            self._put(self.in_force)


def _nowhere(_policy: Policy) -> None:
    """Put it in force nowhere: nothing serves yet."""
