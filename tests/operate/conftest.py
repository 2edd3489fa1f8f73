"""A controller that answers, for every test of the operator's commands."""

from collections.abc import Iterator

import pytest

from tests.operate.server import Api, serving


@pytest.fixture
def api() -> Iterator[Api]:
    """Run a server that answers as the controller of a healthy cluster does."""
    with serving(Api.healthy()) as running:
        yield running
