"""An image of one static program, packed without any tool: the archive that `docker save` would write."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path
from typing import Final

from tools.kube.builds import path_of
from tools.kube.programs import PAUSE

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
"""The machine's names as Go and images call them."""


def pause_image(folder: Path, name: str) -> Path:
    """Pack the program that holds a pod's network namespace.

    Args:
        folder: Where the archive is written.
        name: The image's name.

    Returns:
        The archive's path.
    """
    layer = _tar({"pause": path_of(PAUSE).read_bytes()}, mode=0o755)
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    archive = folder / "pause.tar"
    archive.write_bytes(
        _tar(
            {
                "layer.tar": layer,
                "config.json": json.dumps(config).encode(),
                "manifest.json": json.dumps(manifest).encode(),
            },
            mode=0o644,
        )
    )
    return archive


def _tar(files: dict[str, bytes], *, mode: int) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return sink.getvalue()
