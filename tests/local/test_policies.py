"""The policy of a running controller: what is in force, what waits for a restart, what is kept."""

from pathlib import Path

import pytest

from memgraph_ha.adapters.datadir import DataDir
from memgraph_ha.api.control import NotSupported
from memgraph_ha.core import Policy, parse_policy
from memgraph_ha.core.policy import Users
from memgraph_ha.local.cluster import open_cluster
from memgraph_ha.local.options import LocalOptions, read_policy
from memgraph_ha.local.policies import Policies, check_accounts
from memgraph_ha.runtime.usage import UsageError

pytestmark = pytest.mark.trio


@pytest.fixture
def datadir(tmp_path: Path) -> DataDir:
    """Open a new cluster."""
    return open_cluster(LocalOptions(data=tmp_path / "data"))


def serving(datadir: DataDir, *settings: str, accounts: bool = False) -> tuple[Policies, list[Policy]]:
    """Make the policies of a controller, and a list of what it puts in force."""
    policies, put = Policies(datadir, read_policy(None, settings), accounts=accounts), list[Policy]()
    policies.serve(put.append)
    return policies, put


async def test_what_can_take_effect_does_and_the_rest_waits(datadir: DataDir) -> None:
    """A field that the adapters read at the start is chosen and kept, and goes on as it was until then."""
    policies, put = serving(datadir)
    wanted = parse_policy({"failover_limit": 17, "lease_duration_s": 9})
    await policies.apply(wanted)
    assert policies.chosen == wanted
    assert [(each.failover_limit, each.lease_duration_s) for each in put] == [
        (Policy().failover_limit, Policy().lease_duration_s),
        (17, Policy().lease_duration_s),
    ]
    next_one, _ = serving(datadir)
    assert next_one.in_force == next_one.chosen == wanted


async def test_only_what_was_changed_is_kept(datadir: DataDir) -> None:
    """Neither a default nor what was given for one run becomes everybody's policy; what was kept before stays."""
    datadir.save_policy({"failover_window_s": 300})
    policies, _ = serving(datadir, "failover_limit=99")
    await policies.apply(parse_policy({"failover_limit": 99, "failover_window_s": 300, "standby_grace_s": 8}))
    assert datadir.load_policy() == {"failover_window_s": 300, "standby_grace_s": 8}
    assert policies.chosen.failover_limit == 99


async def test_a_new_leader_goes_by_what_another_kept(datadir: DataDir) -> None:
    """A standby controller was started before the change; what it cannot use leaves it as it is."""
    waiting, put = serving(datadir)
    leader, _ = serving(datadir)
    await leader.apply(parse_policy({"data_durability": "required"}))
    await waiting.reread()
    assert put[-1].data_durability.value == "required"
    (datadir.path / "policy.toml").write_text("failover_limit = -1\n")
    await waiting.reread()
    assert waiting.chosen.data_durability.value == "required"
    assert len(put) == 2


async def test_what_a_next_controller_could_not_use_is_refused(datadir: DataDir) -> None:
    """An option of this run may be what makes the policy possible; kept alone it would keep the next from starting."""
    policies, put = serving(datadir, "lease_duration_s=20")
    with pytest.raises(NotSupported, match=r"policy\.toml.*command_deadline_s"):
        await policies.apply(parse_policy({"lease_duration_s": 20, "command_deadline_s": 9}))
    assert datadir.load_policy() == {}
    assert len(put) == 1


async def test_accounts_are_restored_only_where_they_are_known(datadir: DataDir) -> None:
    """Without an accounts file the policy is refused, at the start, live and from the file; with one it is taken."""
    wanted = parse_policy({"users": "restore"})
    without, _ = serving(datadir)
    with pytest.raises(NotSupported, match="--accounts FILE"):
        await without.apply(wanted)
    with pytest.raises(UsageError, match="--accounts FILE"):
        check_accounts(LocalOptions(data=datadir.path, policy={"users": "restore"}))
    policies, put = serving(datadir, accounts=True)
    await policies.apply(wanted)
    assert put[-1].users is Users.RESTORE
    with pytest.raises(UsageError, match="--set users=none"):
        serving(datadir)
    assert serving(datadir, "users=none")[0].chosen.users is Users.NONE
