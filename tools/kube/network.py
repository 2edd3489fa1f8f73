"""The pods' network on the machine: one bridge, forwarding, and one nft table that hides pods behind the machine.

The bridge is made before any pod, because the node itself, its API server and its DNS live at its address: a machine
whose only other address is loopback can then be a node.
"""

import json
from pathlib import Path
from typing import Final

from tools.kube.run import run

BRIDGE: Final = "mgha0"
"""The bridge's name; at most 15 characters."""

ADDRESS: Final = "10.244.0.1"
"""The bridge's address: the pods' gateway, the node's address, the API server's and the DNS server's."""

PODS: Final = "10.244.0.0/24"
"""The pods' addresses; the first is the bridge's."""

_TABLE: Final = "memgraph-ha-kube"
_PROXY_TABLES: Final = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))
_RULES: Final = f"""
table ip {_TABLE} {{}}
delete table ip {_TABLE}
table ip {_TABLE} {{
  chain leaving {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {PODS} ip daddr != {PODS} masquerade
  }}
}}
"""


def ensure() -> None:
    """Make the bridge and the rules, unless they are there.

    Raises:
        ClusterError: The kernel refuses; says what.
    """
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    run(["ip", "address", "replace", f"{ADDRESS}/24", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n", encoding="ascii")
    run(["nft", "-f", "-"], given=_RULES)


def remove() -> None:
    """Remove the bridge, our rules and those of kube-proxy. Forwarding stays on: others may have come to need it.

    Raises:
        ClusterError: The kernel refuses; says what.
    """
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        run(["ip", "link", "delete", BRIDGE])
    _remove_tables(("ip", _TABLE), *_PROXY_TABLES)


def forget_services() -> None:
    """Remove the rules of a kube-proxy that does not run any more, for the next one to write them all.

    It empties the chain of an endpoint that leaves, and deletes it a second later; one that is started in between takes
    the empty chain for a whole one, and whoever is led there waits for ever (v1.34, ``epChainSkipUpdate`` in
    pkg/proxy/nftables/proxier.go; found with the API server's own endpoint).

    Raises:
        ClusterError: The kernel refuses; says what.
    """
    _remove_tables(*_PROXY_TABLES)


def _remove_tables(*names: tuple[str, str]) -> None:
    present = json.loads(run(["nft", "--json", "list", "tables"]))["nftables"]
    tables = {(item["table"]["family"], item["table"]["name"]) for item in present if "table" in item}
    for family, name in names:
        if (family, name) in tables:
            run(["nft", "delete", "table", family, name])
