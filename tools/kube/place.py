"""Where one cluster keeps everything it has: one state directory, and nothing outside it that outlives `down`."""

import json
import os
import secrets
from pathlib import Path
from typing import Final

import platformdirs
from attrs import frozen

from memgraph_ha.adapters.json_fields import FieldError, read_object
from tools.kube.errors import ClusterError

_PORTS: Final = (1, 65535)
_TOKEN_BYTES: Final = 24
_SETTINGS: Final = "settings.json"


def default_state() -> Path:
    """Give the state directory of the machine's one full cluster."""
    return platformdirs.user_state_path("memgraph-ha") / "kube"


def default_cache() -> Path:
    """Give the directory of what was built: `${XDG_CACHE_HOME:-~/.cache}/memgraph-ha/kube`."""
    return platformdirs.user_cache_path("memgraph-ha") / "kube"


@frozen(kw_only=True)
class Settings:
    """What is decided once for a cluster, at its first start.

    Attributes:
        address: The address of its API server; also the node's own, in a full cluster.
        api_port: The API server's port.
        etcd_port: Where etcd serves the API server, on loopback.
        etcd_peer_port: Where etcd would serve its peers, on loopback.
        api_only: Whether there is no node: etcd and the API server only.
        token: What the administrator shows to the API server.
    """

    address: str
    api_port: int
    etcd_port: int
    etcd_peer_port: int
    api_only: bool
    token: str

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.address}:{self.api_port}"


def new_token() -> str:
    """Make up the administrator's token."""
    return secrets.token_hex(_TOKEN_BYTES)


@frozen(kw_only=True)
class Place:
    """The state directory of one cluster.

    Attributes:
        root: The directory, absolute.
    """

    root: Path

    @property
    def kubeconfig(self) -> Path:
        """How clients reach the cluster, as administrator."""
        return self.root / "kubeconfig"

    @property
    def certificates(self) -> Path:
        """The API server's own certificate and key, made by itself."""
        return self.root / "certificates"

    @property
    def logs(self) -> Path:
        """One file a daemon."""
        return self.root / "log"

    @property
    def audit(self) -> Path:
        """What service accounts asked of the API server, one JSON object a line (audit.k8s.io/v1)."""
        return self.root / "log" / "audit.jsonl"

    @property
    def socket(self) -> Path:
        """Where containerd listens."""
        return self.root / "containerd" / "containerd.sock"

    @property
    def volumes(self) -> Path:
        """The pods' volumes, one directory each."""
        return self.root / "volumes"

    def folder(self, name: str) -> Path:
        """Give a directory below the root, made if it is not there."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def write(self, name: str, text: str) -> Path:
        """Write a file below the root that only its owner reads; a reader never finds half of it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
        draft.touch(mode=0o600)
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
        return path

    def save(self, settings: Settings) -> None:
        """Keep the settings for the next start."""
        fields = {
            "address": settings.address,
            "api_port": settings.api_port,
            "etcd_port": settings.etcd_port,
            "etcd_peer_port": settings.etcd_peer_port,
            "api_only": settings.api_only,
            "token": settings.token,
        }
        self.write(_SETTINGS, json.dumps(fields, indent=2) + "\n")

    def settings(self) -> Settings | None:
        """Read what `save` kept; None if there never was a cluster here.

        Raises:
            ClusterError: The file is not ours or was damaged.
        """
        path = self.root / _SETTINGS
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            fields = read_object(data, str(path))
            return Settings(
                address=fields.text("address"),
                api_port=fields.integer("api_port", *_PORTS),
                etcd_port=fields.integer("etcd_port", *_PORTS),
                etcd_peer_port=fields.integer("etcd_peer_port", *_PORTS),
                api_only=fields.flag("api_only"),
                token=fields.text("token"),
            )
        except FieldError as error:
            raise ClusterError(f"{error}; end the cluster with `down`, which removes the file") from error
