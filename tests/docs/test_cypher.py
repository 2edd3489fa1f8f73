"""Every query that a page tells a person to type is one that Memgraph's stand-in understands."""

import pytest

from memgraph_ha.fakes.memgraph.cypher import parse
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.parsing import parse_statement
from tests.docs.pages import every_page

QUERIES = [
    pytest.param(query.strip(), id=f"{page.path.stem}: {query.strip()[:40]}")
    for page in every_page()
    for fence in page.fences
    if fence.language == "cypher"
    for query in fence.text.split(";")
    if query.strip()
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_understood(query: str) -> None:
    """A syntax error at 3 a.m. would be ours."""
    if parse_statement(query) is None:
        parse(query)


def test_pages_have_queries() -> None:
    """The check looks at something."""
    assert len(QUERIES) > 10


def test_a_query_with_a_mistake_is_found() -> None:
    """The check itself can fail."""
    with pytest.raises(MemgraphError):
        parse("CREATE (n:X DELETE n")
