"""The images that the tests run: the project's own, from its Dockerfile, and a Memgraph, from the bundled fake.

No registry is asked. The base is made of Debian packages, what the project depends on comes as wheels, and the archives
go straight into the node's containerd.
"""

import hashlib
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

from attrs import frozen

from tools.kube import packages
from tools.kube.containers import Containers
from tools.kube.place import default_cache
from tools.kube.run import run
from tools.kube.say import step
from tools.kube.turns import alone

ROOT: Final = Path(__file__).parents[2]
"""The repository."""

BASE: Final = "localhost/memgraph-ha-base:1"
"""The image that the Dockerfile starts from here."""

_SUITE: Final = "bookworm"
_PYTHON: Final = "3.11"
"""The suite's Python; the wheels are taken for it."""

_IN_BASE: Final = "ca-certificates,python3,python3-pip,python3-venv"
_SOURCES: Final = (
    "Dockerfile",
    ".dockerignore",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "memgraph_ha",
    "docs/runbook",
    "scenarios",
)
"""What goes into the project's image."""

_BASE_WITHIN_S: Final = 900.0
_WHEELS_WITHIN_S: Final = 600.0
_BUILT_WITHIN_S: Final = 900.0
_TAG_LENGTH: Final = 12

_POLICY: Final = '{"default": [{"type": "insecureAcceptAnything"}]}'
"""Images of our own are taken without a signature (containers-policy.json(5))."""

_MEMGRAPH: Final = """
ARG BASE
FROM ${BASE}
USER 0
RUN mkdir -p /var/lib/memgraph /var/log/memgraph /etc/memgraph /usr/lib/memgraph \\
 && chown 101:103 /var/lib/memgraph /var/log/memgraph \\
 && ln -s /opt/memgraph-ha/bin/memgraph-ha-fake /usr/lib/memgraph/memgraph
USER 101:103
WORKDIR /usr/lib/memgraph
EXPOSE 7687 7444 9091
ENTRYPOINT ["/usr/lib/memgraph/memgraph"]
CMD []
"""
"""The fake under the server's own name and user, started as the official image starts the server (its Dockerfile:
ENTRYPOINT /usr/lib/memgraph/memgraph, user memgraph, 101:103)."""


@frozen(kw_only=True)
class Images:
    """The images of one state of the sources; another state has other tags, so a change is an upgrade.

    Attributes:
        controller: The project's own.
        memgraph: The fake Memgraph's.
    """

    controller: str
    memgraph: str

    @property
    def names(self) -> tuple[str, str]:
        """Both names."""
        return (self.controller, self.memgraph)


def build(containers: Containers) -> Images:
    """Build the images, unless this node has them, and give them to it.

    Args:
        containers: The node's.

    Raises:
        ClusterError: A package is missing, or a step failed; says which.
    """
    images = _named()
    if set(images.names) <= set(containers.images()):
        return images
    _make_missing(images)
    with Buildah() as buildah:
        for name in images.names:
            with step(f"giving {name} to the node"), TemporaryDirectory() as folder:
                containers.load(buildah.archive(name, Path(folder) / "image.tar"))
    return images


def prepare() -> None:
    """Build the images of this state of the sources, unless they are built; the first time takes minutes.

    Raises:
        ClusterError: A package is missing, or a step failed; says which.
    """
    _make_missing(_named())


def _make_missing(images: Images) -> None:
    packages.ensure(packages.IMAGES, install=False)
    with Buildah() as buildah:
        if BASE not in buildah.images():
            _make_base(buildah)
        if images.controller not in buildah.images():
            _make_controller(buildah, images.controller)
        if images.memgraph not in buildah.images():
            with step(f"image {images.memgraph}"), TemporaryDirectory() as folder:
                (Path(folder) / "Dockerfile").write_text(_MEMGRAPH, encoding="utf-8")
                buildah.build(Path(folder), images.memgraph, BASE=images.controller)


def _named() -> Images:
    """Name the images of this state of the sources."""
    tag = _fingerprint()[:_TAG_LENGTH]
    return Images(controller=f"localhost/memgraph-ha:{tag}", memgraph=f"localhost/memgraph-fake:{tag}")


class Buildah:
    """buildah with a store of its own in the cache, so that what did not change is not built again.

    Resource handling: between `__enter__` and `__exit__` it has a scratch directory and the store to itself: who comes
    second waits, because two run roots on one store take each other's mounts away. The store stays.
    """

    def __init__(self) -> None:
        self._store = default_cache() / "buildah"
        self._scratch: Path | None = None
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Wait for the store, and make the scratch directory."""
        self._held.enter_context(alone(self._store.with_suffix(".lock"), "building images"))
        self._scratch = Path(self._held.enter_context(TemporaryDirectory(prefix="memgraph-ha-buildah-")))
        self._policy.write_text(_POLICY, encoding="ascii")
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it, and let others in."""
        self._held.close()

    @property
    def _folder(self) -> Path:
        if self._scratch is None:
            raise RuntimeError("use it in a with statement")
        return self._scratch

    @property
    def _policy(self) -> Path:
        return self._folder / "policy.json"

    def images(self) -> tuple[str, ...]:
        """List the names of its images."""
        return tuple(self.run("images", "--format", "{{.Name}}:{{.Tag}}").split())

    def build(self, context: Path, name: str, **arguments: str) -> None:
        """Build a Dockerfile.

        Args:
            context: The directory that has it.
            name: The image's name.
            arguments: Values of its ARGs.
        """
        given = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        self.run("bud", "--isolation", "chroot", "--pull-never", *self._trust, *given, "--tag", name, context)

    def archive(self, name: str, target: Path) -> Path:
        """Write an image as an archive of Docker's form, under its name; returns the path."""
        self.run("push", *self._trust, name, f"docker-archive:{target}:{name}")
        return target

    def commit_tree(self, tree: Path, name: str) -> None:
        """Make an image of a file tree in a tar file."""
        container = self.run("from", "scratch").strip()
        try:
            self.run("add", container, tree, "/")
            self.run("commit", *self._trust, container, name)
        finally:
            self.run("rm", container)

    @property
    def _trust(self) -> tuple[str, ...]:
        return ("--signature-policy", str(self._policy))

    def run(self, *arguments: str | Path) -> str:
        """Run one command of it.

        Raises:
            ClusterError: It failed.
        """
        words = ("buildah", "--root", self._store, "--runroot", self._folder / "run", *arguments)
        return run(words, timeout_s=_BUILT_WITHIN_S)


def _make_base(buildah: Buildah) -> None:
    with step(f"image {BASE}: Debian {_SUITE} with Python"), TemporaryDirectory() as folder:
        tree = Path(folder) / "base.tar"
        run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={_IN_BASE}", _SUITE, tree],
            timeout_s=_BASE_WITHIN_S,
        )
        buildah.commit_tree(tree, BASE)


def _make_controller(buildah: Buildah, name: str) -> None:
    with step(f"image {name}"), TemporaryDirectory() as folder:
        context = Path(folder)
        for source in _SOURCES:
            target = context / source
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(ROOT / source, target)
        wheels = context / "wheels"
        pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
        run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, context], timeout_s=_WHEELS_WITHIN_S)
        run(
            [
                *(*pip, "download", "--only-binary=:all:", f"--python-version={_PYTHON}"),
                *("--find-links", wheels, "--dest", wheels, "memgraph-ha[kubernetes]"),
            ],
            timeout_s=_WHEELS_WITHIN_S,
        )
        buildah.build(context, name, BASE=BASE, WHEELS="local")


def _fingerprint() -> str:
    digest = hashlib.sha256(repr((BASE, _IN_BASE, _SUITE, _MEMGRAPH)).encode())
    for source in _SOURCES:
        path = ROOT / source
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
