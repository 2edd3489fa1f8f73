"""Errors of whoever called us: one line that names what, where and the way out, and exit code 2."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

import click

P = ParamSpec("P")


class UsageError(Exception):
    """The command cannot do what it was asked; the text names what, where and the way out. Exit code 2."""


def leaves(error: BaseException) -> list[BaseException]:
    """List what was really raised: nurseries wrap the errors of their tasks in groups, also in groups of groups."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in leaves(inner)]


def usage_errors(work: Callable[P, int]) -> Callable[P, None]:
    """Turn a `UsageError` into one line on standard error and exit code 2, never a traceback."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        code, trouble = 2, list[BaseException]()
        try:
            code = work(*args, **kwargs)
        except* UsageError as errors:  # a nursery wraps what its tasks raise, and would wrap what is raised here
            trouble = leaves(errors)
        if trouble:
            click.echo(f"memgraph-ha: {'; '.join(map(str, trouble))}", err=True)
        sys.exit(code)

    return run
