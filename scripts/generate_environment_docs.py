"""Write docs/reference/environment.md from the table of settings of `memgraph-ha run`.

python -m scripts.generate_environment_docs           write it
python -m scripts.generate_environment_docs --check   write nothing; exit with 1 if it is not in step
"""

import sys
from collections.abc import Sequence
from typing import Final

from memgraph_ha.kube.setting import Setting
from memgraph_ha.kube.settings import SETTINGS
from memgraph_ha.kube.settings_gateway import GATEWAY_SETTINGS
from scripts.in_step import REFERENCE, keep

_HEAD: Final = """<!-- made by scripts/generate_environment_docs.py from the code: change the code, not this page -->

# The environment of `memgraph-ha run`

The controller on Kubernetes is told everything by environment variables; the Helm chart sets them
([values](values.md)). A value that is not allowed ends the start with exit code 2, and one line names every wrong
variable, its value and what is allowed. An empty variable counts as none. Names that are not known but look like ours
are logged at the start.

`MEMGRAPH_HA_CONFIG`, or `--config FILE`, names a TOML file with the same settings by their names in lower case, and
the [policy](policy.md) as a table:

```toml
namespace = "graph"
statefulset_name = "memgraph"
enable_read_gateway = true

[policy]
data_durability = "required"
```

Options of the command line win over the environment, and that wins over the file.

The names of the Go predecessor (`memgraph-controller`) keep working; *old* marks them. What it never used, or what has
no meaning here, is checked all the same and logged as without effect. Durations are written as in Go (`30s`, `5m`,
`1h30m`), or as a number of seconds.

Give the controllers' pods `enableServiceLinks: false`: otherwise Kubernetes sets variables for each Service of the
namespace, and one for a Service named `http` or `bolt` would be `HTTP_PORT` or `BOLT_PORT`.

Exit codes: 0 told to end (SIGTERM), 2 a setting is missing or not allowed, 70 a bug of ours (the log says which).
"""


def page() -> str:
    """Make the page."""
    works = [setting for setting in SETTINGS if not setting.idle]
    parts = [
        _HEAD,
        "## The controller\n",
        _table([setting for setting in works if setting not in GATEWAY_SETTINGS]),
        "\n## The gateways\n",
        _table([setting for setting in works if setting in GATEWAY_SETTINGS]),
        "\n## Without effect\n",
        "| variable | allowed | why |\n|---|---|---|",
        *(f"| `{each.name}` | {_cell(each.kind.allowed)} | {_cell(each.idle)} |" for each in SETTINGS if each.idle),
    ]
    return "\n".join(parts) + "\n"


def _table(settings: list[Setting[object]]) -> str:
    lines = ["| variable | default | allowed | meaning |", "|---|---|---|---|"]
    for each in settings:
        default = "" if each.default is None else f"`{each.default}`"
        old = " *(old)*" if each.old else ""
        lines.append(f"| `{each.name}`{old} | {default} | {_cell(each.kind.allowed)} | {_cell(each.doc)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check them; returns the exit code."""
    return keep(lambda: {"environment.md": page()}, "generate_environment_docs", arguments, REFERENCE)


if __name__ == "__main__":
    sys.exit(main())
