"""What `explain` says of each rule, in words for people."""

import re

from memgraph_ha.api.documents import _answer
from memgraph_ha.core.decide import explain
from tests.core.occasions import OCCASIONS


def test_what_a_guard_saw_is_told_in_words() -> None:
    """Names without brackets or quotes, seconds without a long fraction, whatever the rule noted."""
    looks_raw = re.compile(r"[\[\]{}]|(?<!\w)'|\d\.\d{4}|^;|^$|None")
    for scene in OCCASIONS.values():
        told = [_answer(line.answer)["evidence"] for line in explain(scene.view)]
        assert [each for each in told if each is not None and looks_raw.search(str(each))] == []
