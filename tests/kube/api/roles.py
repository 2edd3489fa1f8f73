"""Accounts that may do only what a Role says, on the real API server."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiClient, CoreV1Api, RbacAuthorizationV1Api

from memgraph_ha.adapters.kubernetes.client import KubeClient

Rule = dict[str, list[str]]


def rule(group: str, resource: str, verbs: str, *names: str) -> Rule:
    """Write one rule of a Role; verbs are separated by spaces."""
    written: Rule = {"apiGroups": [group], "resources": [resource], "verbs": verbs.split()}
    return written | ({"resourceNames": list(names)} if names else {})


async def restricted(admin: KubeClient, kubeconfig: Path, rules: Sequence[Rule], target: Path) -> Path:
    """Make an account with these rules in the client's namespace.

    Args:
        admin: May do everything.
        kubeconfig: Its file.
        rules: What the account may do.
        target: Where its own file is written.

    Returns:
        ``target``.
    """
    name, namespace = target.stem, admin.namespace

    def make(api: ApiClient) -> str:
        core, rbac = CoreV1Api(api), RbacAuthorizationV1Api(api)
        anything: Any = core
        roles: Any = rbac
        anything.create_namespaced_service_account(namespace, {"metadata": {"name": name}})
        roles.create_namespaced_role(namespace, {"metadata": {"name": name}, "rules": list(rules)})
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
        roles.create_namespaced_role_binding(namespace, binding)
        body = {"spec": {"expirationSeconds": 3600, "audiences": []}}
        token = anything.create_namespaced_service_account_token(name, namespace, body)
        return str(token.status.token)

    token = await admin.call(make, what="an account", timeout_s=10)
    _write_config(kubeconfig, token, target)
    return target


def _write_config(like: Path, token: str, target: Path) -> None:
    config = yaml.safe_load(like.read_text(encoding="utf-8"))
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    target.write_text(json.dumps(config), encoding="utf-8")
