"""What the gateways of `memgraph-ha run` can be told: a part of the table in `settings`."""

from typing import Final

from memgraph_ha.kube.kinds import File, Flag, Listen, Seconds, Whole, Word
from memgraph_ha.kube.setting import DAY_S, HOUR_S, Setting

_MEBIBYTE: Final = 1024 * 1024

GATEWAY_BIND: Final = Setting(
    old=True,
    name="GATEWAY_BIND_ADDRESS",
    kind=Listen(),
    default="0.0.0.0:7687",
    doc="where the read/write gateway listens",
)
GATEWAY_READ_BIND: Final = Setting(
    name="GATEWAY_READ_BIND_ADDRESS",
    kind=Listen(),
    default="0.0.0.0:7688",
    doc="where the read-only gateway listens (the predecessor's README names it, its code did not)",
)
ENABLE_READ_GATEWAY: Final = Setting(
    old=True, name="ENABLE_READ_GATEWAY", kind=Flag(), default="false", doc="whether there is a read-only gateway"
)
GATEWAY_MAX_CONNECTIONS: Final = Setting(
    old=True,
    name="GATEWAY_MAX_CONNECTIONS",
    kind=Whole(1, 100_000),
    default="1000",
    doc="clients of each gateway at once",
)
GATEWAY_TIMEOUT: Final = Setting(
    old=True,
    name="GATEWAY_TIMEOUT",
    kind=Seconds(1, 300),
    default="30s",
    doc="the upper bound of GATEWAY_CONNECTION_TIMEOUT, and nothing else",
)
GATEWAY_CONNECTION_TIMEOUT: Final = Setting(
    old=True,
    name="GATEWAY_CONNECTION_TIMEOUT",
    kind=Seconds(1, 300),
    default="10s",
    doc="longest attempt to reach an instance for a client",
)
GATEWAY_IDLE_TIMEOUT: Final = Setting(
    old=True,
    name="GATEWAY_IDLE_TIMEOUT",
    kind=Seconds(60, DAY_S, or_zero=True),
    default="0",
    doc=(
        "a connection on which nothing passes for so long is cut. The predecessor cut busy ones too, after 5 "
        "minutes by default; a query that computes for long is silent, so nobody is cut by default here"
    ),
)
GATEWAY_TLS_ENABLED: Final = Setting(
    old=True,
    name="GATEWAY_TLS_ENABLED",
    kind=Flag(),
    default="false",
    doc="whether the gateways end their clients' TLS (1.2 or later); otherwise it passes through",
)
GATEWAY_TLS_CERT: Final = Setting(
    old=True,
    name="GATEWAY_TLS_CERT_PATH",
    kind=File(),
    default="/etc/certs/tls.crt",
    doc="their certificate and those that sign it, PEM; followed when it changes",
)
GATEWAY_TLS_KEY: Final = Setting(
    old=True, name="GATEWAY_TLS_KEY_PATH", kind=File(), default="/etc/certs/tls.key", doc="its key, PEM"
)
GATEWAY_RATE_LIMIT_ENABLED: Final = Setting(
    old=True,
    name="GATEWAY_RATE_LIMIT_ENABLED",
    kind=Flag(),
    default="false",
    doc="whether a client's address may open only so many connections",
)
GATEWAY_RATE_LIMIT_RPS: Final = Setting(
    old=True, name="GATEWAY_RATE_LIMIT_RPS", kind=Whole(1, 100_000), default="100", doc="new connections a second"
)
GATEWAY_RATE_LIMIT_BURST: Final = Setting(
    old=True, name="GATEWAY_RATE_LIMIT_BURST", kind=Whole(1, 1_000_000), default="200", doc="at once, after a pause"
)
GATEWAY_RATE_LIMIT_WINDOW: Final = Setting(
    old=True,
    name="GATEWAY_RATE_LIMIT_WINDOW",
    kind=Seconds(0.001, DAY_S),
    default="1m",
    doc="when addresses were forgotten",
    idle="an address is forgotten as soon as its allowance is whole again",
)
GATEWAY_HEALTH_CHECK_INTERVAL: Final = Setting(
    old=True,
    name="GATEWAY_HEALTH_CHECK_INTERVAL",
    kind=Seconds(5, 600),
    default="30s",
    doc="never used by the predecessor either",
    idle="the gateways go by the controller's probes (policy `probe_interval_s`)",
)
GATEWAY_CLEANUP_INTERVAL: Final = Setting(
    old=True,
    name="GATEWAY_CLEANUP_INTERVAL",
    kind=Seconds(10, HOUR_S),
    default="1m",
    doc="how often idle connections were looked for",
    idle="they are looked at all the time",
)
GATEWAY_BUFFER_SIZE: Final = Setting(
    old=True,
    name="GATEWAY_BUFFER_SIZE",
    kind=Whole(1024, _MEBIBYTE),
    default="32768",
    doc="bytes of a connection's buffer, each way",
    idle="the kernel moves what is large without a buffer of ours",
)
GATEWAY_MAX_BYTES: Final = Setting(
    old=True,
    name="GATEWAY_MAX_BYTES_PER_CONNECTION",
    kind=Whole(_MEBIBYTE, 100 * 1024 * _MEBIBYTE),
    default="1048576000",
    doc="never enforced by the predecessor either",
    idle="a connection may carry what it likes",
)
GATEWAY_LOG_LEVEL: Final = Setting(
    old=True,
    name="GATEWAY_LOG_LEVEL",
    kind=Word({each: each for each in ("debug", "info", "warn", "error")}),
    default="info",
    doc="never used by the predecessor either",
    idle="there is one level for everything: LOG_LEVEL",
)
GATEWAY_TRACE_ENABLED: Final = Setting(
    old=True,
    name="GATEWAY_TRACE_ENABLED",
    kind=Flag(),
    default="false",
    doc="never used by the predecessor either",
    idle="`--trace` records the controller, with what its gateways report",
)

GATEWAY_SETTINGS: Final[tuple[Setting[object], ...]] = tuple(
    each for each in tuple(globals().values()) if isinstance(each, Setting)
)
"""All of them, in the order of the page."""
