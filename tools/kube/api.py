"""A few plain requests to the API server: the tool needs no more of a client."""

import ssl
from pathlib import Path
from typing import Any, Final

import httpx

from tools.kube.errors import ClusterError
from tools.kube.place import Place, Settings

_ASKED_WITHIN_S: Final = 20.0
"""Far more than it takes, but on a machine that builds and tests at once an answer takes seconds."""


class Api:
    """The administrator's requests.

    Args:
        place: Where the server's certificate is.
        settings: Where the server is, and the token.
    """

    def __init__(self, place: Place, settings: Settings) -> None:
        self._certificate = place.certificates / "apiserver.crt"
        self._settings = settings

    @property
    def certificate(self) -> Path:
        """The certificate that clients trust: the API server makes it at its first start."""
        return self._certificate

    def answers(self, path: str) -> bool:
        """Whether a GET of this path is answered by 200."""
        if not self._certificate.exists():
            return False
        try:
            return self._request("GET", path).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def get(self, path: str) -> httpx.Response:
        """Get a path, whatever the status of the answer.

        Raises:
            ClusterError: The server does not answer.
        """
        return self._said("GET", path, None)

    def post(self, path: str, content: dict[str, object]) -> httpx.Response:
        """Post something to a path, whatever the status of the answer.

        Raises:
            ClusterError: The server does not answer.
        """
        return self._said("POST", path, content)

    def create(self, path: str, manifest: dict[str, object]) -> None:
        """Create an object; one that is there already is left as it is.

        Raises:
            ClusterError: The server refuses, or does not answer.
        """
        response = self._said("POST", path, manifest)
        if response.status_code != httpx.codes.CONFLICT:
            self._refuse_error(response, f"creating {manifest.get('kind')}")

    def items(self, path: str) -> list[dict[str, Any]]:
        """List the objects of a collection.

        Raises:
            ClusterError: The server refuses, or does not answer.
        """
        response = self._said("GET", path, None)
        self._refuse_error(response, f"listing {path}")
        found: list[dict[str, Any]] = response.json()["items"]
        return found

    def change(self, path: str, fields: dict[str, object]) -> None:
        """Change fields of an object by a merge patch (RFC 7386).

        Raises:
            ClusterError: The server refuses, or does not answer.
        """
        self._refuse_error(self._said("PATCH", path, fields), f"changing {path}")

    def delete(self, path: str, options: dict[str, object] | None = None) -> None:
        """Delete an object; one that is gone already is no error.

        Args:
            path: The object's.
            options: Fields of DeleteOptions, e.g. `gracePeriodSeconds`.

        Raises:
            ClusterError: The server refuses, or does not answer.
        """
        response = self._said("DELETE", path, options)
        if response.status_code != httpx.codes.NOT_FOUND:
            self._refuse_error(response, f"deleting {path}")

    @staticmethod
    def _refuse_error(response: httpx.Response, what: str) -> None:
        if response.is_error:
            raise ClusterError(f"{what} was refused: {response.status_code} {response.text}")

    def _said(self, method: str, path: str, content: dict[str, object] | None) -> httpx.Response:
        try:
            return self._request(method, path, content)
        except httpx.HTTPError as error:
            raise ClusterError(f"the API server {self._settings.server} does not answer: {error!r}") from error

    def _request(self, method: str, path: str, content: dict[str, object] | None = None) -> httpx.Response:
        trusted = ssl.create_default_context(cafile=self._certificate)
        patching = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
        # No proxy of the environment: the server is on this machine.
        with httpx.Client(verify=trusted, timeout=_ASKED_WITHIN_S, trust_env=False) as client:
            return client.request(
                method,
                f"{self._settings.server}{path}",
                json=content,
                headers={"Authorization": f"Bearer {self._settings.token}", **patching},
            )
