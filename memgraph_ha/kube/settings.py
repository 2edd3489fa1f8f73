"""Everything that `memgraph-ha run` can be told: the table that reads the environment and the file, and makes the page.

Names, defaults and ranges of the Go predecessor are kept (reference-inventory 1.1); what it never used, or what has no
meaning here, is read and checked all the same, and said to have no effect.
"""

import enum
import logging
from typing import Final

from memgraph_ha.kube.kinds import ANY, IP, PORT, File, Flag, Seconds, Text, Whole, Word, name
from memgraph_ha.kube.setting import DAY_S, Setting
from memgraph_ha.kube.settings_gateway import GATEWAY_SETTINGS


class LogFormat(enum.Enum):
    """How a line of the log is written."""

    TEXT = "text"
    JSON = "json"


# --- which cluster -----------------------------------------------------------------------------------

NAMESPACE: Final = Setting(
    old=True, name="NAMESPACE", kind=name(63), doc="the namespace of everything; in a pod the pod's own is the default"
)
STATEFULSET_NAME: Final = Setting(
    old=True, name="STATEFULSET_NAME", kind=name(63), doc="the StatefulSet of the Memgraph pods; must be given"
)
RELEASE_NAME: Final = Setting(
    old=True,
    name="RELEASE_NAME",
    kind=name(53),
    doc=(
        "names what belongs to the cluster: ConfigMaps `<release>-state` and `<release>-rebuild`, Lease "
        "`<release>-leader`; by default the name of the StatefulSet"
    ),
)
POD_NAME: Final = Setting(
    old=True, name="POD_NAME", kind=name(253), doc="this controller's pod; by default the host name, which a pod's is"
)
POD_IP: Final = Setting(
    name="POD_IP",
    kind=IP,
    doc="this controller's address, where the other controllers ask it; without it they do not know it",
)
POD_UID: Final = Setting(
    name="POD_UID", kind=Text(r"[-0-9a-zA-Z]{1,64}", "a UID"), doc="the UID of this controller's pod, likewise"
)
APP_NAME: Final = Setting(
    old=True,
    name="APP_NAME",
    kind=ANY,
    doc="the label `app.kubernetes.io/name` of the pods",
    idle="a pod is known by the StatefulSet that owns it, not by its labels",
)
BOLT_PORT: Final = Setting(
    old=True, name="BOLT_PORT", kind=PORT, default="7687", doc="where the Memgraph pods take Bolt; now it is used"
)
REPLICATION_PORT: Final = Setting(
    old=True, name="REPLICATION_PORT", kind=PORT, default="10000", doc="where they take replication; now it is used"
)
KUBECONFIG: Final = Setting(
    old=True, name="KUBECONFIG", kind=File(), doc="how to reach the API server; by default as a pod does"
)
# --- who we are to Memgraph, and others to us --------------------------------------------------------

MEMGRAPH_USER: Final = Setting(
    old=True,
    name="MEMGRAPH_USER",
    kind=ANY,
    default="memgraph",
    doc="whom the controller logs in as, and the preStop hooks authenticate as",
)
MEMGRAPH_PASSWORD: Final = Setting(
    old=True, name="MEMGRAPH_PASSWORD", kind=ANY, secret=True, doc="the password; without one Memgraph has no users"
)
MEMGRAPH_PASSWORD_FILE: Final = Setting(
    name="MEMGRAPH_PASSWORD_FILE", kind=File(), doc="a file that holds the password, instead"
)
ACCOUNTS_FILE: Final = Setting(
    name="MEMGRAPH_HA_ACCOUNTS_FILE",
    kind=File(),
    doc="the applications' accounts, created again after a promotion (policy `users: restore`): an accounts file",
)
API_TOKEN_FILE: Final = Setting(
    name="MEMGRAPH_HA_API_TOKEN_FILE",
    kind=File(),
    doc="a file that holds the token for everything that changes something; without one only TokenReview can do",
)
TOKEN_REVIEW: Final = Setting(
    name="MEMGRAPH_HA_TOKEN_REVIEW",
    kind=Flag(),
    default="false",
    doc="whether Kubernetes tokens are taken as well: of whoever may `patch` the StatefulSet",
)
POLICY_FILE: Final = Setting(name="MEMGRAPH_HA_POLICY_FILE", kind=File(), doc="the policy, as TOML: see policy.md")
# --- the controller itself ---------------------------------------------------------------------------

OBSERVE_ONLY: Final = Setting(
    name="MEMGRAPH_HA_OBSERVE_ONLY",
    kind=Flag(),
    default="false",
    doc="change nothing, take no lease, serve no client; log what would be done (`--observe-only`)",
)
TRACE: Final = Setting(
    name="MEMGRAPH_HA_TRACE",
    kind=File(),
    doc="record what the controller is told and decides into a file, or `-` for standard output (`--trace`)",
)
TRACE_MIB: Final = Setting(
    name="MEMGRAPH_HA_TRACE_MIB",
    kind=Whole(4, 65536),
    default="256",
    doc="how large that file and its older parts may become together, MiB",
)
CONFIG: Final = Setting(
    name="MEMGRAPH_HA_CONFIG",
    kind=File(),
    doc="a TOML file of settings, by their names in lower case, and a table `policy` (`--config`)",
)
HTTP_PORT: Final = Setting(old=True, name="HTTP_PORT", kind=PORT, default="8080", doc="where the HTTP API listens")
HTTP_ADDRESS: Final = Setting(
    name="MEMGRAPH_HA_HTTP_ADDRESS", kind=IP, doc="the one address on which it listens; by default on every one"
)
PRESTOP_TIMEOUT: Final = Setting(
    old=True,
    name="PRESTOP_TIMEOUT_SECONDS",
    kind=Whole(1, 600),
    default="600",
    doc="longest time a preStop hook is kept waiting, seconds; the hook in the Memgraph pod reads it too",
)
LOG_LEVEL: Final = Setting(
    old=True,
    name="LOG_LEVEL",
    kind=Word(
        {
            "debug": logging.DEBUG,
            "info": logging.INFO,
            "warn": logging.WARNING,
            "warning": logging.WARNING,
            "error": logging.ERROR,
        }
    ),
    default="info",
    doc="what is logged: this, and what is worse",
)
LOG_FORMAT: Final = Setting(
    old=True,
    name="LOG_FORMAT",
    kind=Word({each.value: each for each in LogFormat}),
    default="text",
    doc="one line an event, for people or as JSON",
)
LOG_ADD_SOURCE: Final = Setting(
    old=True, name="LOG_ADD_SOURCE", kind=Flag(), default="true", doc="whether each line names the code that logged it"
)
RECONCILE_INTERVAL: Final = Setting(
    old=True,
    name="RECONCILE_INTERVAL",
    kind=Seconds(0.001, DAY_S),
    default="30s",
    doc="the period of the predecessor's loop",
    idle="the loop turns with every fact, and at least four times a second",
)
ENABLE_ADMIN_API: Final = Setting(
    old=True,
    name="ENABLE_ADMIN_API",
    kind=Flag(),
    default="false",
    doc="whether `POST /api/v1/admin/reset-connections` exists",
    idle="it always does, for whoever has the API token",
)

SETTINGS: Final[tuple[Setting[object], ...]] = (
    *(each for each in tuple(globals().values()) if isinstance(each, Setting)),
    *GATEWAY_SETTINGS,
)
"""All of them, in the order of the page."""
