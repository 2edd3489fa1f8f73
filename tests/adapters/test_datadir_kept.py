"""What a data directory keeps beside the cluster: ports that came later, the number of instances, policy, token."""

import concurrent.futures
import json
from pathlib import Path

import pytest

from memgraph_ha.adapters.datadir import DataDir, DataDirError, open_data_dir
from memgraph_ha.adapters.datadir_config import ClusterConfig, new_config, parse_config
from memgraph_ha.adapters.json_fields import FieldError
from memgraph_ha.adapters.process_argv import plan_ports
from memgraph_ha.core import Policy, parse_policy
from memgraph_ha.core.policy import AutoReinit, DataDurability


def config(ro_port: int = 7688, http_port: int = 8080) -> ClusterConfig:
    """Describe a new cluster with the ports of the documentation."""
    return new_config(plan_ports(3), rw_port=7687, ro_port=ro_port, http_port=http_port, binary="/opt/memgraph")


@pytest.fixture
def datadir(tmp_path: Path) -> DataDir:
    """Make a data directory."""
    return open_data_dir(tmp_path / "data", new=config)


def test_all_ports_of_the_controller_are_kept(datadir: DataDir) -> None:
    """What was chosen is read again; 0 switches off, and such a port is not listed."""
    assert open_data_dir(datadir.path).config == datadir.config
    assert [port for _, port in datadir.config.gateways()] == [7687, 7688, 8080]
    off = parse_config(config(0, 0).to_bytes(), "here")
    assert (off.ro_port, off.http_port, off.unsaid) == (0, 0, ())
    assert [port for _, port in off.gateways()] == [7687]


@pytest.mark.parametrize(("ro_port", "http_port"), [(7687, 8080), (7688, 7688), (17688, 8080), (7688, 20002)])
def test_ports_of_the_controller_are_nobody_elses(ro_port: int, http_port: int) -> None:
    """A port that a gateway or the API shares with anything is refused, with both users."""
    with pytest.raises(FieldError, match=r"port \d+ is given to the .* and to .*; give each its own"):
        config(ro_port, http_port)


@pytest.mark.parametrize("port", [-1, 65536, "7688", 1.5, None, True])
def test_a_port_that_cannot_be_is_refused(port: object) -> None:
    """The complaint names the field, the value and what is allowed."""
    fields = json.loads(config().to_bytes()) | {"ro_port": port}
    with pytest.raises(FieldError, match=r"field ro_port: .* is not a whole number from 0 to 65535"):
        parse_config(json.dumps(fields).encode(), "here")


def test_a_file_of_an_older_version_names_no_ports() -> None:
    """Ports that the file does not name are off, and stay unsaid when the file is written again."""
    fields = json.loads(config().to_bytes())
    del fields["ro_port"], fields["http_port"]
    old = parse_config(json.dumps(fields).encode(), "here")
    assert (old.ro_port, old.http_port, old.unsaid) == (0, 0, ("ro_port", "http_port"))
    assert parse_config(old.to_bytes(), "here") == old
    assert old.resized(2).unsaid == old.unsaid


def test_another_number_of_instances_keeps_all_else() -> None:
    """Names and ports follow the same plan, also after shrinking; only the list of instances differs."""
    five = config().resized(5)
    assert [each.name for each in five.instances] == [f"memgraph-{ordinal}" for ordinal in range(5)]
    assert tuple(each.ports for each in five.instances) == plan_ports(5)
    assert five.resized(3) == config_like(five) == five.resized(2).resized(3)
    with pytest.raises(FieldError, match="a cluster has 2 to 32"):
        five.resized(1)


def config_like(other: ClusterConfig) -> ClusterConfig:
    """Describe the first three instances of another cluster."""
    fields = json.loads(other.to_bytes())
    return parse_config(json.dumps(fields | {"instances": fields["instances"][:3]}).encode(), "here")


def test_a_change_does_not_overwrite_somebody_elses(datadir: DataDir) -> None:
    """Who knows an older description is refused, and the newer one stays."""
    newer = datadir.rewritten(datadir.config.resized(4))
    with pytest.raises(DataDirError, match="changed by somebody else"):
        datadir.rewritten(datadir.config.resized(2))
    assert datadir.reread() == newer == open_data_dir(datadir.path)
    assert newer.is_member(newer.config.instances[3].name)
    assert datadir.is_member(newer.config.instances[3].name)
    (datadir.path / "cluster.json").write_text("{}")
    assert not datadir.is_member(newer.config.instances[3].name)
    assert newer.is_member(newer.config.instances[3].name)


def test_policy_fields_are_kept_as_they_were_given(datadir: DataDir) -> None:
    """Numbers, words and names come back as the very policy; what is kept next replaces all of it."""
    assert datadir.load_policy() == {}
    given = {"standby_grace_s": 7.5, "failover_limit": 100, "data_durability": "required"}
    datadir.save_policy({**given, "eligible": ["memgraph-1", 'we"ird\\näme']})
    assert datadir.load_policy() == {**given, "eligible": ["memgraph-1", 'we"ird\\näme']}
    datadir.save_policy({"auto_reinit": AutoReinit.NEVER, "eligible": ("a", "b"), "lease_duration_s": 1e1})
    policy = Policy(auto_reinit=AutoReinit.NEVER, eligible=("a", "b"), lease_duration_s=10.0)  # type: ignore[arg-type]
    assert parse_policy(datadir.load_policy()) == policy
    assert policy.data_durability is DataDurability.PREFERRED
    assert (datadir.path / "policy.toml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("value", [None, {"a": 1}, "line\nbreak", b"x", [None]])
def test_what_no_policy_holds_is_not_kept(datadir: DataDir, value: object) -> None:
    """A value that would not come back is refused, and the kept policy stays."""
    datadir.save_policy({"failover_limit": 3})
    with pytest.raises(FieldError, match=r"policy field eligible: .* cannot be kept"):
        datadir.save_policy({"eligible": value})
    assert datadir.load_policy() == {"failover_limit": 3}


@pytest.mark.parametrize("content", [b"failover_limit", b"\xff", b"a = 1\na = 2"])
def test_a_policy_file_that_makes_no_sense_is_named(datadir: DataDir, content: bytes) -> None:
    """The complaint names the file and the way out."""
    (datadir.path / "policy.toml").write_bytes(content)
    with pytest.raises(DataDirError) as raised:
        datadir.load_policy()
    assert f"{datadir.path / 'policy.toml'}: is not TOML" in str(raised.value)
    assert "remove it" in str(raised.value)


def test_the_token_is_made_once_for_us_alone(datadir: DataDir) -> None:
    """It is long, random, url-safe, readable for its owner only, and the same for all who ask at once."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: datadir.token(), range(16)))
    (token,) = tokens
    assert len(token) == 43
    assert token.replace("-", "").replace("_", "").isalnum()
    path = datadir.path / "api-token"
    assert path.read_text() == f"{token}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    assert open_data_dir(datadir.path).token() == token
    assert path.stat().st_mode & 0o777 == 0o600
    other = open_data_dir(datadir.path.parent / "other", new=config)
    assert other.token() != token


@pytest.mark.parametrize("content", [b"", b"short\n", b"x" * 30 + b" " + b"y" * 30, b"\xff" * 40])
def test_a_token_that_is_none_is_refused_and_not_shown(datadir: DataDir, content: bytes) -> None:
    """Something else in its file is no secret of ours; the complaint names the file, not what is in it."""
    (datadir.path / "api-token").write_bytes(content)
    with pytest.raises(DataDirError) as raised:
        datadir.token()
    assert str(datadir.path / "api-token") in str(raised.value)
    assert not content.strip() or content.decode(errors="replace").strip() not in str(raised.value)


def test_former_places_never_meet(datadir: DataDir) -> None:
    """Two places of one name that are put away in one second are both kept."""
    for number in range(3):
        place = datadir.path / "instances" / "memgraph-7"
        place.mkdir(parents=True)
        (place / str(number)).touch()
        assert datadir.strays() == (place,)
        datadir.put_away(place)
    assert datadir.strays() == ()
    kept = sorted(file.name for folder in datadir.former.iterdir() for file in folder.iterdir())
    assert kept == ["0", "1", "2"]
