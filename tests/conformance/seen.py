"""One line of the table of observations."""

from __future__ import annotations

from attrs import frozen


@frozen
class Seen:
    """Something that a real Memgraph was seen to do.

    Attributes:
        what: In a few words, those of the transcripts where they fit.
        how_often: The recorded numbers, such as `81 of 81`; empty if it was a single look.
        elsewhere: Tests outside tests/conformance that hold it, as `fakes/test_file.py::test_name`: what
            can only be forced or counted inside the fake.
        why_not: Why no test holds it, if none does.
    """

    what: str
    how_often: str = ""
    elsewhere: tuple[str, ...] = ()
    why_not: str = ""
