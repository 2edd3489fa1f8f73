"""`memgraph-ha report`: one file with what a bug report needs, and nothing secret."""

import json
import tarfile
from pathlib import Path

import pytest

from tests.free_port import free_port
from tests.operate import recorded
from tests.operate.peers import make_data
from tests.operate.server import Api, says
from tests.operate.terminal import run


def unpacked(bundle: Path) -> dict[str, str]:
    """Read every file of a bundle."""
    files = {}
    with tarfile.open(bundle) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            assert content is not None
            files[member.name.removeprefix("memgraph-ha-report/")] = content.read().decode()
    return files


def test_a_bundle_of_files(api: Api, tmp_path: Path) -> None:
    """A ``.tar.gz`` of readable files, for our eyes only; what is in it is said."""
    target = tmp_path / "report.tar.gz"
    done = run(api, "report", "-o", str(target))
    assert done.code == 0
    assert target.stat().st_mode & 0o777 == 0o600
    files = unpacked(target)
    assert json.loads(files["cluster.json"]) == recorded.HEALTHY
    assert json.loads(files["history.json"]) == recorded.HISTORY
    assert files["controller.log"].splitlines() == recorded.REPORT["log"]
    assert json.loads(files["more.json"]) == {"schema": "memgraph-ha/report/1", "at": recorded.AT}
    for name in files:
        assert name in done.out
        assert name in files["README.txt"] or name == "README.txt"
    assert recorded.TOKEN not in "".join(files.values())


def test_one_json_file(api: Api, tmp_path: Path) -> None:
    """A name that ends in ``.json`` makes one JSON file of it."""
    target = tmp_path / "report.json"
    assert run(api, "report", "-o", str(target)).code == 0
    assert json.loads(target.read_text()) == recorded.REPORT


def test_the_default_name(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``-o`` it is written here, under a name with the time."""
    monkeypatch.chdir(tmp_path)
    done = run(api, "report")
    [name] = [path.name for path in tmp_path.iterdir()]
    assert name.startswith("memgraph-ha-report-")
    assert name.endswith(".tar.gz")
    assert done.out.startswith(name)


def test_a_report_with_the_token_in_it_is_not_written(api: Api, tmp_path: Path) -> None:
    """Whatever the controller did wrong, the token does not leave the machine."""
    api.scripts["GET", "report"] = says(recorded.REPORT | {"log": [f"Authorization: Bearer {recorded.TOKEN}"]})
    target = tmp_path / "report.json"
    done = run(api, "report", "-o", str(target))
    assert done.code == 1
    assert not target.exists()
    assert recorded.TOKEN not in done.out + done.err


def test_a_place_that_cannot_be_written(api: Api, tmp_path: Path) -> None:
    """It is named, with the way out."""
    done = run(api, "report", "-o", str(tmp_path / "none" / "report.tar.gz"))
    assert done.code == 2
    assert "No such file or directory; give another with -o" in done.err


def test_a_dead_controllers_data_directory(tmp_path: Path) -> None:
    """What it left is taken, without flags' values, triggers' statements and the token; exit code 3 says it is dead."""
    data = make_data(tmp_path / "data", free_port(), "t0k3n-of-the-api")
    cluster = json.loads((data / "cluster.json").read_text())
    (data / "cluster.json").write_text(json.dumps(cluster | {"arguments": ["--license-key=s3cret"]}))
    triggers = [{"name": "t", "statement": "CREATE (:Card {number: 4711})"}]
    (data / "record.json").write_text(json.dumps({"schema": 1, "main": "memgraph-0", "triggers": triggers}))
    (data / "lease.json").write_text("{torn")
    (data / "controller.log").write_text("".join(f'{{"event": "tick {number}"}}\n' for number in range(2000)))
    target = tmp_path / "report.tar.gz"
    done = run(None, "report", "--data", str(data), "-o", str(target))
    assert done.code == 3
    assert "This is what it left on disk" in done.err
    files = unpacked(target)
    assert "connection refused" in files["README.txt"]
    assert json.loads(files["cluster.json"])["arguments"] == ["--license-key=left out"]
    assert json.loads(files["record.json"]) == {"schema": 1, "main": "memgraph-0", "triggers": "1, left out"}
    assert "no JSON" in json.loads(files["lease.json"])["not read"]
    assert files["controller.log"].splitlines()[-1] == '{"event": "tick 1999"}'
    assert len(files["controller.log"].splitlines()) == 500
    for secret in ("s3cret", "4711", "t0k3n"):
        assert secret not in "".join(files.values()) + done.out + done.err
    (data / "controller.log").write_text("token t0k3n-of-the-api\n")
    target.unlink()
    assert run(None, "report", "--data", str(data), "-o", str(target)).code == 1
    assert not target.exists()
