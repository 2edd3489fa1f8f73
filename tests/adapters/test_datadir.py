"""A data directory is made once, read strictly, and refused with the path, the fault and the way out."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from memgraph_ha.adapters.datadir import DataDir, DataDirError, RunNote, open_data_dir
from memgraph_ha.adapters.datadir_config import ClusterConfig, new_config, parse_config
from memgraph_ha.adapters.json_fields import FieldError
from memgraph_ha.adapters.process_argv import InstancePorts, plan_ports
from memgraph_ha.adapters.process_os import own_identity
from memgraph_ha.core.names import InstanceName


def config() -> ClusterConfig:
    """Describe a new cluster with the ports of the documentation."""
    return new_config(plan_ports(3), rw_port=7687, binary="/opt/memgraph", arguments=("--a",))


def refused(path: Path, *, make: bool = True) -> str:
    """Open and give the message of the refusal, which always names the path."""
    with pytest.raises(DataDirError) as raised:
        open_data_dir(path, new=config if make else None)
    assert str(path) in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("there", [False, True])
def test_a_new_directory_is_made_private(tmp_path: Path, there: bool) -> None:
    """A missing or an empty directory becomes a cluster that nobody else may look into."""
    path = tmp_path / "deep" / "data"
    if there:
        path.mkdir(parents=True, mode=0o755)
    made = open_data_dir(path, new=config)
    assert path.stat().st_mode & 0o777 == 0o700
    assert made.path == path
    assert [spec.name for spec in made.specs()] == ["memgraph-0", "memgraph-1", "memgraph-2"]
    assert made.specs()[2].ports == plan_ports(3)[2]
    assert made.specs()[2].arguments == ("--a",)


def test_what_was_made_once_stays(tmp_path: Path) -> None:
    """Opening again, by whatever spelling of the path, gives the first description and its id."""
    first = open_data_dir(tmp_path / "data", new=config)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert open_data_dir(tmp_path / "link" / ".." / "link", new=config) == first
    assert open_data_dir(tmp_path / "data") == first


_MAKER = """
import sys
from pathlib import Path
from memgraph_ha.adapters.datadir import open_data_dir
from memgraph_ha.adapters.datadir_config import new_config
from memgraph_ha.adapters.process_argv import plan_ports
sys.stdin.readline()
made = open_data_dir(Path(sys.argv[1]), new=lambda: new_config(plan_ports(3), rw_port=7687, binary="/b"))
print(made.config.cluster)
"""


def test_makers_at_the_same_time_get_one_cluster(tmp_path: Path) -> None:
    """Three processes that make the same directory at once agree on one id."""
    command = [sys.executable, "-c", _MAKER, str(tmp_path / "data")]
    makers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("go\n")
        maker.stdin.flush()
    assert len({maker.communicate(timeout=30)[0] for maker in makers}) == 1
    assert [maker.returncode for maker in makers] == [0, 0, 0]


def test_nothing_is_made_unasked(tmp_path: Path) -> None:
    """Without leave to make one a missing and an empty directory stay as they are."""
    assert "makes one" in refused(tmp_path / "missing", make=False)
    assert not (tmp_path / "missing").exists()
    assert "there is no cluster" in refused(tmp_path, make=False)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    """A file at the path, or above it, is named."""
    (tmp_path / "file").write_text("")
    assert "is a file, not a directory" in refused(tmp_path / "file")
    assert "Not a directory" in refused(tmp_path / "file" / "data")


def test_somebody_elses_directory_is_left_alone(tmp_path: Path) -> None:
    """A directory that holds other things is refused, and nothing in it is touched."""
    (tmp_path / "thesis.tex").write_text("mine")
    assert "is not empty and holds no cluster of memgraph-ha (it holds 'thesis.tex')" in refused(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


_AS_NOBODY = """
import os, sys
from pathlib import Path
from memgraph_ha.adapters.datadir import DataDirError, open_data_dir
os.seteuid(65534)
try:
    open_data_dir(Path(sys.argv[1]), new=None)
except DataDirError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs leave to become another user")
def test_an_unwritable_directory_is_refused() -> None:
    """Another user is told whose directory it is not."""
    with tempfile.TemporaryDirectory() as made:  # not pytest's, which lies in directories that nobody else may enter
        Path(made).chmod(0o755)
        path = Path(made) / "data"
        open_data_dir(path, new=config)
        path.chmod(0o755)
        done = subprocess.run([sys.executable, "-c", _AS_NOBODY, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path} is not writable for user 65534; chown it, or give another with --data\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs leave to give files away")
def test_instances_of_another_user_are_refused(tmp_path: Path) -> None:
    """Memgraph starts only for the owner of its data, so that is checked before."""
    datadir = open_data_dir(tmp_path / "data", new=config)
    spec = datadir.specs()[0]
    datadir.prepare(spec)
    os.chown(spec.data, 65534, 65534)
    with pytest.raises(DataDirError, match=f"{spec.data} belongs to user 65534, and this is user 0"):
        datadir.prepare(spec)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"schema": 2}', "a newer memgraph-ha made it; update this one"),
        ("{}", "field schema: is missing"),
    ],
)
def test_a_foreign_description_is_refused(tmp_path: Path, content: str, said: str) -> None:
    """A damaged or newer description is refused with the file and what is wrong."""
    (tmp_path / "cluster.json").write_text(content)
    assert said in refused(tmp_path)
    assert (tmp_path / "cluster.json").read_text() == content


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("cluster", "", "field cluster: '' is not a text"),
        ("rw_port", 0, "field rw_port: 0 is not a whole number from 1 to 65535"),
        ("rw_port", 70000, "field rw_port: 70000"),
        ("rw_port", 17688, "port 17688 is given to the read/write gateway and to memgraph-1's Bolt"),
        ("binary", None, "field binary: None is not a text"),
        ("arguments", [1], "field arguments: [1] is not a list of texts"),
        ("instances", [], "field instances: must be 1 to 32, not 0"),
        ("instances", ["a"], "field instances: ['a'] is not a list of objects"),
    ],
)
def test_each_field_is_read_strictly(field: str, value: object, said: str) -> None:
    """A value that cannot be is named with its field and what is allowed."""
    raw = {**json.loads(config().to_bytes()), field: value}
    with pytest.raises(FieldError) as raised:
        parse_config(json.dumps(raw).encode(), "here")
    assert f"here: {said}" in str(raised.value)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "../etc", "instances[1]: field name: '../etc' is not made of letters"),
        ("name", "memgraph-0", "'memgraph-0' is named twice"),
        ("bolt_port", "x", "instances[1]: field bolt_port: 'x'"),
        ("metrics_port", 17687, "port 17687 is given to memgraph-0's Bolt and to memgraph-1's metrics"),
    ],
)
def test_each_field_of_an_instance_is_read_strictly(field: str, value: object, said: str) -> None:
    """A value that cannot be is named with the instance, its field and what is allowed."""
    raw = json.loads(config().to_bytes())
    raw["instances"][1][field] = value
    with pytest.raises(FieldError) as raised:
        parse_config(json.dumps(raw).encode(), "here")
    assert said in str(raised.value)


def test_unknown_fields_are_passed_over() -> None:
    """A field that a later version adds does not lock out this one."""
    one = config()
    raw = {**json.loads(one.to_bytes()), "later": 1}
    assert parse_config(json.dumps(raw).encode(), "here") == one


def test_clashing_ports_are_refused_when_they_are_given() -> None:
    """A new cluster is checked like one that is read."""
    ports = InstancePorts(bolt=1, replication=2, monitoring=3, metrics=2)
    with pytest.raises(FieldError, match=r"port 2 is given to memgraph-0's replication and to memgraph-0's metrics"):
        new_config([ports], rw_port=7687, binary="/b")


@pytest.fixture
def datadir(tmp_path: Path) -> DataDir:
    """Make a data directory."""
    return open_data_dir(tmp_path / "data", new=config)


def test_a_place_is_prepared_each_time(datadir: DataDir) -> None:
    """A removed or changed init file is put right before the next start: a missing one would be silent (Q1)."""
    spec = datadir.specs()[0]
    datadir.prepare(spec)
    spec.init_file.write_text("")
    datadir.prepare(spec)
    assert spec.init_file.read_text() == "SET REPLICATION ROLE TO REPLICA WITH PORT 20000;\n"
    spec.init_file.unlink()
    datadir.prepare(spec)
    assert spec.init_file.exists()
    assert spec.data.stat().st_mode & 0o777 == 0o700


def test_a_run_is_written_down_and_read(datadir: DataDir) -> None:
    """What was started is read back; where nothing was, nothing is read."""
    name = InstanceName("memgraph-0")
    assert datadir.read_run(name) is None
    datadir.prepare(datadir.specs()[0])
    note = RunNote(process=own_identity(), argv=("memgraph", "--a=b c"))
    datadir.write_run(name, note)
    assert datadir.read_run(name) == note


def test_being_listed_ends_with_the_block(datadir: DataDir) -> None:
    """A controller is listed as long as it says, and damaged or stale listings are passed over."""
    with datadir.enlisted():
        (datadir.path / "controllers" / "1.json").write_text("garbage")
        assert datadir.controllers() == (own_identity(),)
    assert datadir.controllers() == ()
