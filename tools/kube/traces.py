"""What a node leaves on the machine when all its processes are gone, and how it is removed."""

import os
import time
from pathlib import Path
from typing import Final

from tools.kube.errors import ClusterError
from tools.kube.run import run

_UNMOUNTED_WITHIN_S: Final = 20.0
_REMOVED_WITHIN_S: Final = 10.0
_POLL_S: Final = 0.1
_MOUNT_POINT: Final = 4
_SHARED: Final = ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")
"""Directories that containerd, the kubelet and the network plugins use wherever their own are."""

_CGROUPS: Final = Path("/sys/fs/cgroup")
_PODS: Final = "kubepods"
"""The cgroup that the kubelet makes for all pods, in each hierarchy."""


def unmount_below(root: Path) -> None:
    """Unmount everything below a directory, last mounted first.

    Raises:
        ClusterError: A mount stays busy.
    """
    end_s = time.monotonic() + _UNMOUNTED_WITHIN_S
    while points := _mounts_below(root):
        for point in reversed(points):
            run(["umount", point], may_fail=True)
        left = _mounts_below(root)
        if left and time.monotonic() >= end_s:
            raise ClusterError(f"{left[-1]} cannot be unmounted; see who holds it with `fuser -vm {left[-1]}`")
        if left:
            time.sleep(_POLL_S)


def remove_cgroups() -> None:
    """Remove the pods' cgroups; the kernel lets go of a killed process's group a moment later.

    Raises:
        ClusterError: One is still in use.
    """
    end_s = time.monotonic() + _REMOVED_WITHIN_S
    while found := [*_CGROUPS.glob(_PODS), *_CGROUPS.glob(f"*/{_PODS}")]:
        busy = [path for top in found for path in _removed_below(top)]
        if busy and time.monotonic() >= end_s:
            raise ClusterError(f"the cgroup {busy[0]} is still in use; its processes are in its file cgroup.procs")
        if busy:
            time.sleep(_POLL_S)


def remove_notes(root: Path) -> None:
    """Remove what lies outside the cluster's directory because its place cannot be chosen.

    Somebody else's containerd or kubelet may use the same directories: only what is certainly ours or dead goes, and
    directories that are then empty.

    Args:
        root: The cluster's directory.
    """
    # One note a network of a pod; containerd keeps a directory of each pod (a sandbox) that is left, named by its id.
    for sandbox in root.glob("containerd/*/io.containerd.grpc.v1.cri/sandboxes/*"):
        for note in Path("/var/lib/cni/results").glob(f"*-{sandbox.name}-*"):
            note.unlink(missing_ok=True)
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(root):
            link.unlink()
    listening = _listening_sockets()
    for pattern in ("run/containerd/s/*", "var/lib/kubelet/device-plugins/*.sock"):
        for path in Path("/").glob(pattern):
            if path.is_socket() and str(path) not in listening:
                path.unlink(missing_ok=True)
    for top in _SHARED:
        _removed_below(Path(top))


def _listening_sockets() -> set[str]:
    """List the paths of Unix sockets that somebody has open (the last column of /proc/net/unix)."""
    lines = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    return {line.split(" ")[-1] for line in lines}


def _removed_below(top: Path) -> list[Path]:
    """Remove a tree of empty directories; gives those that are not empty, or in use."""
    busy = []
    for folder, _below, _files in os.walk(top, topdown=False):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            busy.append(Path(folder))
    return busy


def _mounts_below(root: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    # The kernel writes a space in a path as \040 (proc(5)).
    points = [line.split(" ")[_MOUNT_POINT].encode().decode("unicode_escape") for line in lines]
    return [point for point in points if Path(point).is_relative_to(root)]
