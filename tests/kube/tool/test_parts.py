"""The tool's parts that need no cluster."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memgraph_ha.adapters.process_os import alive
from tools.kube import builds, packages
from tools.kube.archive import pause_image
from tools.kube.cluster import Cluster
from tools.kube.daemons import Daemons
from tools.kube.errors import ClusterError
from tools.kube.place import Place, Settings
from tools.kube.programs import ALL, APISERVER, CLUSTER, MODULE, PAUSE
from tools.kube.run import run

_API_ONLY = Settings(
    address="127.0.0.1",
    api_port=6443,
    etcd_port=1,
    etcd_peer_port=2,
    api_only=True,
    token="made-up",  # noqa: S106 - nobody's
)


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    """The daemons of a cluster that never gets any further; what a test leaves is ended."""
    found = Daemons(Place(root=tmp_path))
    yield found
    found.end_strays()


def _sleeper(tmp_path: Path, text: str = "import time; time.sleep(60)") -> tuple[str, ...]:
    script = tmp_path / "sleeper.py"
    script.write_text(text)
    return (sys.executable, str(script))


def _pid(daemons: Daemons) -> int:
    found = daemons.running("one")
    assert found is not None
    return found.pid


def _reap(pid: int) -> None:
    """Take the end of a child that the tool left to whoever inherits it; the tests are its parent."""
    os.waitpid(pid, 0)


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_daemon_is_started_once_and_ended(tmp_path: Path, daemons: Daemons) -> None:
    """A second start finds the first, and an end leaves nothing behind."""
    for _ in range(2):
        daemons.ensure("one", _sleeper(tmp_path), ready=lambda: True, timeout_s=5)
    first = _pid(daemons)
    daemons.ensure("one", _sleeper(tmp_path), ready=lambda: True, timeout_s=5)
    assert _pid(daemons) == first
    daemons.end("one", grace_s=5)
    assert daemons.running("one") is None
    _reap(first)


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_frozen_daemon_is_ended_too(tmp_path: Path, daemons: Daemons) -> None:
    """A test may have left a daemon stopped; SIGTERM alone would wait for it."""
    daemons.ensure("one", _sleeper(tmp_path), ready=lambda: True, timeout_s=5)
    pid = _pid(daemons)
    os.kill(pid, signal.SIGSTOP)
    begun_s = time.monotonic()
    daemons.end("one", grace_s=20)
    assert time.monotonic() - begun_s < 10
    _reap(pid)


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_daemon_that_was_not_written_down_is_found(tmp_path: Path, daemons: Daemons) -> None:
    """An `up` that is killed between a start and its note leaves no orphan: the mark finds it, and what it started."""
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    daemons.ensure("one", _sleeper(tmp_path, child), ready=lambda: len(tuple(daemons.strays())) > 1, timeout_s=10)
    pid = _pid(daemons)
    (tmp_path / "run" / "one.json").unlink()
    marked = tuple(daemons.strays())
    daemons.end_strays()
    assert not any(alive(identity) for identity in marked)
    _reap(pid)


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_daemon_that_ends_at_once_is_an_error_with_its_last_words(tmp_path: Path, daemons: Daemons) -> None:
    """The message has the end of its log: nobody must go and look for it."""
    words = _sleeper(tmp_path, "print('no such option')")
    with pytest.raises(ClusterError, match=r"(?s)one .* ended.*no such option"):
        daemons.ensure("one", words, ready=lambda: False, timeout_s=20)


def test_a_missing_package_is_named_with_the_command(tmp_path: Path) -> None:
    """Nothing is installed that nobody asked for."""
    missing = {str(tmp_path / "one"): "package-one", "sh": "dash", str(tmp_path / "two"): "package-two"}
    with pytest.raises(ClusterError, match="apt-get install --no-install-recommends package-one package-two"):
        packages.ensure(missing, install=False)


def test_a_program_that_does_not_end_is_killed() -> None:
    """Every call ends by its deadline."""
    with pytest.raises(ClusterError, match=r"did not end within 0\.2 s"):
        run(["sleep", "60"], timeout_s=0.2)


def test_a_program_that_fails_is_quoted() -> None:
    """The error has what the program said."""
    with pytest.raises(ClusterError, match=r"exit code 3\): no idea"):
        run(["sh", "-c", "echo no idea >&2; exit 3"])


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_program_is_pinned(name: str) -> None:
    """go.mod pins the version and go.sum the bytes of everything that is built."""
    program = ALL[name]
    assert program.version.count(".") in {0, 2}
    assert (MODULE / "go.sum").exists()
    assert program.package.rpartition("/")[2] == name, "Go names the file after the package"


def test_what_was_built_from_other_sources_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of go.mod, or a build that was cut short, means that it is built again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = builds.directory()
    assert folder.is_relative_to(tmp_path)
    folder.mkdir(parents=True)
    for program in CLUSTER:
        (folder / program.name).touch()
        (folder / f"{program.name}.built").write_text(program.fingerprint)
    (folder / f"{APISERVER.name}.built").write_text("something else")
    (folder / f"{PAUSE.name}.built").unlink()
    assert builds.missing(CLUSTER) == (APISERVER, PAUSE)


def test_the_pause_image_is_an_archive_that_names_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What containerd reads: a manifest with the name, a configuration with the entry point, a layer with the file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    builds.directory().mkdir(parents=True)
    builds.path_of(PAUSE).write_bytes(b"\x7fELF")
    with tarfile.open(pause_image(tmp_path, "localhost/pause:1")) as archive:
        manifest = json.loads(_member(archive, "manifest.json"))
        config = json.loads(_member(archive, manifest[0]["Config"]))
    assert manifest[0]["RepoTags"] == ["localhost/pause:1"]
    assert config["config"]["Entrypoint"] == ["/pause"]


def test_a_damaged_directory_is_named(tmp_path: Path) -> None:
    """The settings of a cluster are read strictly."""
    place = Place(root=tmp_path)
    place.save(_API_ONLY)
    assert place.settings() == _API_ONLY
    place.write("settings.json", '{"address": 7}')
    with pytest.raises(
        ClusterError, match=r"settings.json: field address: 7 is not a text; end the cluster with `down`"
    ):
        place.settings()


def test_a_directory_keeps_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full cluster is not started over one without a node; nothing is built before that is known."""
    Place(root=tmp_path).save(_API_ONLY)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ClusterError, match="holds --api-only on port 6443"):
        Cluster(tmp_path).up(api_only=False)


def test_a_node_needs_root() -> None:
    """The command says so at once, and what can be had without."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys; os.geteuid = lambda: 1; from tools.kube.command import main; main()",
            "up",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: a node needs root")
    assert "--api-only" in done.stderr


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    assert found is not None
    return found.read()
