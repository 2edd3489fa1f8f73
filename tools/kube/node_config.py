"""The configuration files of the node's daemons, as text."""

import json
import os
from typing import Final

from tools.kube.network import ADDRESS, BRIDGE, PODS
from tools.kube.place import Place

NODE: Final = "node1"
PAUSE_IMAGE: Final = "localhost/memgraph-ha-pause:1"
"""The image of every pod's first container."""

KUBELET_HEALTH_PORT: Final = 10248
KUBELET_PORT: Final = 10250
DNS_READY_PORT: Final = 8181

_DOMAIN: Final = "cluster.local"
_DNS_TTL_S: Final = 1
"""A pod that comes back with another address is found by its name at once."""


def containerd(place: Place) -> str:
    """Configure containerd (version 2 of its file: containerd 1.6).

    ``restrict_oom_score_adj``: without it no pod starts where CAP_SYS_RESOURCE is missing. The namespaces of pods'
    networks are mounted below the cluster's directory, so that whoever ends it knows which are its own.
    """
    base = place.folder("containerd")
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{base}/root"
state = "{base}/state"

[grpc]
  address = "{place.socket}"

[{cri}]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"

  [{cri}.containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [{cri}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [{cri}.containerd.runtimes.runc.options]
        Root = "{base}/runc"

  [{cri}.cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{place.folder("cni")}"
"""


def cni(place: Place) -> str:
    """Configure the pods' network: the bridge is the gateway, addresses are counted up in our own directory.

    No masquerading and no host ports by its plugins: both would leave iptables rules behind (`network` masquerades).
    """
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": os.fspath(place.folder("addresses")),
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return json.dumps({"cniVersion": "0.4.0", "name": BRIDGE, "plugins": [bridge]}, indent=2)


def kubelet(place: Place) -> str:
    """Configure the kubelet (https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/).

    Whoever reaches its port may use it: only pods of this cluster and this machine can.
    """
    config: dict[str, object] = {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "address": ADDRESS,
        "port": KUBELET_PORT,
        "healthzPort": KUBELET_HEALTH_PORT,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{place.socket}",
        "cgroupDriver": "cgroupfs",
        "failSwapOn": False,
        "failCgroupV1": False,  # Kubernetes 1.34 still takes version 1
        "clusterDNS": [ADDRESS],
        "clusterDomain": _DOMAIN,
        "resolvConf": os.fspath(place.write("resolv.conf", f"nameserver {ADDRESS}\n")),
        "podLogsDir": os.fspath(place.folder("pod-logs")),
        "volumePluginDir": os.fspath(place.folder("volume-plugins")),
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,  # another value needs CAP_SYS_RESOURCE
        "imageGCHighThresholdPercent": 100,  # never: no registry would give an image back
        # A shared machine is often almost full; pods must not be evicted for that.
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
    }
    return json.dumps(config, indent=2)


def coredns(place: Place) -> str:
    """Configure the DNS server: the cluster's names, and no others."""
    return f""".:53 {{
  bind {ADDRESS}
  errors
  ready 127.0.0.1:{DNS_READY_PORT}
  kubernetes {_DOMAIN} in-addr.arpa {{
    kubeconfig {place.kubeconfig}
    ttl {_DNS_TTL_S}
  }}
}}
"""
