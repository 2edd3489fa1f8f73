"""The Debian packages that a cluster needs, and how they are installed without starting anything."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools.kube.errors import ClusterError
from tools.kube.place import default_cache
from tools.kube.run import find, run
from tools.kube.say import step
from tools.kube.turns import alone

API: Final = {"etcd": "etcd-server"}
"""What etcd and the API server need: a file, by name or path, and the package that has it."""

NODE: Final = {
    **API,
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "ip": "iproute2",
    "nft": "nftables",
}
"""What a node needs."""

IMAGES: Final = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
"""What the test images are built with."""

TESTS: Final = {**NODE, **IMAGES, "promtool": "prometheus"}
"""Everything that the tests on Kubernetes need."""

_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_UPDATED_WITHIN_S: Final = 300.0
_INSTALLED_WITHIN_S: Final = 900.0
_LOCKED_FOR_S: Final = 300
"""How long another apt-get of this machine is waited for."""


def ensure(needed: Mapping[str, str], *, install: bool) -> None:
    """Make sure that the packages are there.

    Args:
        needed: Files, by name or path, and their packages.
        install: Whether to install what is missing; else it is an error that names the command.

    Raises:
        ClusterError: Something is missing, or could not be installed.
    """
    missing = _missing(needed)
    if not missing:
        return
    if not install:
        command = f"apt-get install --no-install-recommends {' '.join(missing)}"
        raise ClusterError(f"missing: {', '.join(missing)}; install with `{command}`, or let --install do it")
    with alone(default_cache() / "packages.lock", "installing packages"):
        if left := _missing(needed):
            _install(left)


def _missing(needed: Mapping[str, str]) -> list[str]:
    return sorted({package for program, package in needed.items() if find(program) is None})


def _install(names: list[str]) -> None:
    with step(f"installing {', '.join(names)}"), _nothing_starts():
        _apt("update", timeout_s=_UPDATED_WITHIN_S)
        _apt("install", "--yes", "--no-install-recommends", *names, timeout_s=_INSTALLED_WITHIN_S)


def _apt(*arguments: str, timeout_s: float) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(
        ["apt-get", "--quiet", f"--option=DPkg::Lock::Timeout={_LOCKED_FOR_S}", *arguments],
        timeout_s=timeout_s,
        environment=quiet,
    )


@contextmanager
def _nothing_starts() -> Iterator[None]:
    """Forbid packages to start their services: this tool starts instances of its own (invoke-rc.d(8), code 101)."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
