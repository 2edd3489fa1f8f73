"""Volumes for the pods' claims: directories made beforehand, and given back when their claim is gone.

The host-path provisioner of kube-controller-manager would make directories that only root may write
(pkg/volume/hostpath: mode 0750), and a hostPath volume takes no owner from the pod (fsGroup does not apply to it).
"""

import shutil
from typing import Final

from tools.kube.api import Api
from tools.kube.place import Place

COUNT: Final = 64
"""How many there are at a time."""

CLASS: Final = "standard"
"""The default storage class."""

_SIZE: Final = "100Gi"
"""What they claim to be; nobody measures."""

_VOLUMES: Final = "/api/v1/persistentvolumes"
_CLASSES: Final = "/apis/storage.k8s.io/v1/storageclasses"


def ensure(api: Api, place: Place) -> None:
    """Make the storage class and the volumes that are not there, and clean those that nobody claims any more.

    Raises:
        ClusterError: The API server refuses.
    """
    api.create(
        _CLASSES,
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "kubernetes.io/no-provisioner",
            "reclaimPolicy": "Retain",
        },
    )
    present = {item["metadata"]["name"] for item in api.items(_VOLUMES)}
    for number in range(COUNT):
        name = f"volume-{number:02}"
        if name not in present:
            _make(api, place, name)
    recycle(api, place)


def recycle(api: Api, place: Place) -> int:
    """Empty the volumes whose claim was deleted, and offer them again.

    Returns:
        How many there were.

    Raises:
        ClusterError: The API server refuses.
    """
    released = [item["metadata"]["name"] for item in api.items(_VOLUMES) if item["status"].get("phase") == "Released"]
    for name in released:
        shutil.rmtree(place.volumes / name, ignore_errors=True)
        _make_folder(place, name)
        api.change(f"{_VOLUMES}/{name}", {"spec": {"claimRef": None}})
    return len(released)


def _make(api: Api, place: Place, name: str) -> None:
    api.create(
        _VOLUMES,
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "storageClassName": CLASS,
                "persistentVolumeReclaimPolicy": "Retain",
                "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
                "capacity": {"storage": _SIZE},
                "hostPath": {"path": _make_folder(place, name)},
            },
        },
    )


def _make_folder(place: Place, name: str) -> str:
    folder = place.volumes / name
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)  # whoever a pod runs as
    return str(folder)
