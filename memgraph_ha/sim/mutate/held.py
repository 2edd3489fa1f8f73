"""The tests of a checkout as a detector: each test that pytest collects is a case.

It needs pytest, which is no dependency of ours at run time, and the tests, which are not in the wheel.
"""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from typing import Any, Final, TextIO

from attrs import define

from memgraph_ha.core.rules import Rule
from memgraph_ha.sim.mutate.detector import Case, Detector, UnfitError

COMPARES: Final = ("test_mutants.py", "test_shipped.py", "test_docs.py", "test_bench_decide.py", "test_purity.py")
"""Files that compare today's rules with themselves, with the documents made of them, or that measure time."""


@define
class _Loop:
    """A plugin of pytest's that lends the collected tests out instead of running them."""

    lend: Callable[[Detector], None]
    output: TextIO
    trouble: Exception | None = None

    def pytest_runtestloop(self, session: Any) -> bool:
        """Called by pytest when everything is collected."""
        cases = [Case(name=item.nodeid, examine=partial(_run, item)) for item in session.items]
        try:
            with redirect_stdout(self.output):  # what pytest itself prints is no part of our output
                self.lend(Detector(name="tests", cases=tuple(cases)))
        except Exception as error:  # noqa: BLE001 - pytest would print it and go on; `with_tests` raises it
            self.trouble = error
        return True


def with_tests(paths: tuple[str, ...], lend: Callable[[Detector], None]) -> None:
    """Collect tests, and lend them out as a detector.

    Args:
        paths: As pytest takes them.
        lend: Called once, with a detector that works until it returns.

    Raises:
        ImportError: There is no pytest here.
        UnfitError: The tests cannot be collected.
        Exception: Whatever ``lend`` raises.
    """
    import pytest  # noqa: PLC0415 - only who asks for it needs it

    loop = _Loop(lend, sys.stdout)
    options = ["-q", "-p", "no:cacheprovider", "--no-header", "--no-summary", "--capture=no"]
    options += [option for file in COMPARES for option in ("--ignore-glob", f"*/{file}")]
    with redirect_stdout(StringIO()):
        code = pytest.main([*options, *paths], plugins=[loop])
    if loop.trouble is not None:
        raise loop.trouble
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise UnfitError(
            f"pytest could not collect {' '.join(paths)}: it ends with {code!r}; run it by itself to see why"
        )


def _run(item: Any, _rules: tuple[Rule, ...]) -> str | None:
    """Run one test as pytest does; the rules are those that `decide` takes by itself."""
    from _pytest.runner import runtestprotocol  # noqa: PLC0415 - as above

    item.session._setupstate.teardown_exact(None)  # noqa: SLF001 - each mutant begins without fixtures of another
    for report in runtestprotocol(item, nextitem=None, log=False):
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            return str(getattr(crash, "message", report.longrepr)).splitlines()[0] or "it fails"
    return None
