"""A cluster is opened as asked or as it was made; every port and policy field has one place where it is decided."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from memgraph_ha.adapters.datadir import DataDir, open_data_dir
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.local import cluster
from memgraph_ha.local.cluster import check_gateways_free, open_cluster, policy_of
from memgraph_ha.local.options import LocalOptions, read_policy
from memgraph_ha.runtime.usage import UsageError
from tests.adapters.local_rig import free_ports


@pytest.fixture
def options(tmp_path: Path) -> LocalOptions:
    """Ask for a new cluster of the bundled fake."""
    return LocalOptions(data=tmp_path / "data")


@pytest.fixture
def listener() -> Iterator[int]:
    """Listen on a port, and give it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def refused(options: LocalOptions) -> str:
    """Open and give the words of the refusal."""
    with pytest.raises(UsageError) as raised:
        open_cluster(options)
    return str(raised.value)


def make_old(options: LocalOptions) -> Path:
    """Make a cluster as a version did that knew neither read-only gateway nor HTTP API."""
    open_cluster(options)
    path = options.data / "cluster.json"
    fields = json.loads(path.read_text())
    del fields["ro_port"], fields["http_port"]
    path.write_text(json.dumps(fields))
    return path


def test_a_new_cluster_has_the_documented_ports(options: LocalOptions) -> None:
    """7687, 7688 and 8080, or what was asked for; 0 switches off."""
    config = open_cluster(options).config
    assert (config.rw_port, config.ro_port, config.http_port) == (7687, 7688, 8080)
    other = evolve(options, data=options.data.parent / "other", port=1, ro_port=0, http_port=3)
    config = open_cluster(other).config
    assert (config.rw_port, config.ro_port, config.http_port) == (1, 0, 3)


def test_an_old_cluster_keeps_its_ports(options: LocalOptions) -> None:
    """Other ports than it was made with are refused by the option's name; another number of instances is not."""
    made = open_cluster(options)
    asked = {
        "--port 1": evolve(options, port=1),
        "--ro-port 0": evolve(options, ro_port=0),
        "--http-port 2": evolve(options, http_port=2),
        "--bolt-base 3": evolve(options, bolt_base=3),
    }
    for option, other in asked.items():
        assert f"{option}: the cluster in {made.path} was made with" in refused(other)
    assert open_cluster(evolve(options, instances=5, ro_port=7688)) == made


def test_a_cluster_without_the_new_ports_gets_them_once(options: LocalOptions) -> None:
    """What is asked for is written down, and is the cluster's from then on."""
    path = make_old(options)
    config = open_cluster(evolve(options, ro_port=0, http_port=4321)).config
    assert (config.ro_port, config.http_port, config.unsaid) == (0, 4321, ())
    assert json.loads(path.read_text())["http_port"] == 4321
    assert "--ro-port 7688: the cluster" in refused(evolve(options, ro_port=7688))


def test_a_cluster_without_the_new_ports_asks_if_the_usual_are_taken(
    options: LocalOptions, listener: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal names the option, the port and who holds it; nothing is written until it is settled."""
    monkeypatch.setattr(cluster, "DEFAULT_RO_PORT", listener)  # the real ones may be anybody's on this machine
    path = make_old(options)
    before = path.read_bytes()
    said = refused(options)
    assert f"without --ro-port, and the usual port {listener} is in use by pid {os.getpid()}" in said
    assert "--ro-port 0 to do without" in said
    assert path.read_bytes() == before
    assert open_cluster(evolve(options, ro_port=0, http_port=0)).config.gateways() == (
        ("the read/write gateway", 7687),
    )


def test_a_port_asked_for_must_be_nobody_elses(options: LocalOptions) -> None:
    """An instance's port is refused for a gateway, in a new cluster and in an old one."""
    assert "port 17688 is given to" in refused(evolve(options, ro_port=17688))
    make_old(options)
    assert "port 17688 is given to" in refused(evolve(options, ro_port=17688, http_port=0))


@pytest.mark.parametrize(
    ("kind", "option", "purpose"),
    [
        ("port", "--port", "read/write gateway"),
        ("ro_port", "--ro-port", "read-only gateway"),
        ("http_port", "--http-port", "HTTP API"),
    ],
)
def test_a_busy_port_of_the_controller_is_named(
    options: LocalOptions, listener: int, kind: str, option: str, purpose: str
) -> None:
    """The refusal says which port, what for, who holds it, and how another is chosen."""
    (free,) = free_ports(1)
    ports = {"port": free, "ro_port": 0, "http_port": 0} | {kind: listener}
    asked = evolve(options, port=ports["port"], ro_port=ports["ro_port"], http_port=ports["http_port"])
    config = open_cluster(asked).config
    with pytest.raises(UsageError) as raised:
        check_gateways_free(config)
    assert f"port {listener} ({purpose}) is in use by pid {os.getpid()}" in str(raised.value)
    assert option in str(raised.value)


@pytest.fixture
def datadir(options: LocalOptions) -> DataDir:
    """Open a new cluster."""
    return open_cluster(options)


def test_options_win_over_the_kept_policy_and_are_not_kept(datadir: DataDir) -> None:
    """What was applied outlives the controller; what was typed is that run's."""
    datadir.save_policy({"failover_limit": 11, "data_durability": "required"})
    given = read_policy(None, ("failover_limit=22", "standby_grace_s=9"))
    policy = policy_of(datadir, given)
    assert (policy.failover_limit, policy.standby_grace_s) == (22, 9)
    assert policy.data_durability is DataDurability.REQUIRED
    assert policy_of(open_data_dir(datadir.path), {}).failover_limit == 11


def test_a_kept_policy_that_is_not_allowed_is_named(datadir: DataDir) -> None:
    """The refusal names the file if it is at fault, and both if only the two together are."""
    datadir.save_policy({"lease_duration_s": 7})
    with pytest.raises(UsageError, match="with the policy kept in the data directory: policy field command_deadline_s"):
        policy_of(datadir, read_policy(None, ("command_deadline_s=6.5",)))
    (datadir.path / "policy.toml").write_text("failover_limit = -1\n")
    with pytest.raises(UsageError) as raised:
        policy_of(datadir, {})
    assert f"{datadir.path / 'policy.toml'}: policy field failover_limit: -1 is out of range" in str(raised.value)
    (datadir.path / "policy.toml").write_text("=\n")
    with pytest.raises(UsageError, match="is not TOML"):
        policy_of(datadir, {})
