"""Every way in which nobody helps: one sentence with the way out on standard error, and the exit code of the table."""

import json
import threading
from pathlib import Path

import pytest

from tests.free_port import free_port
from tests.operate.peers import listening, make_data
from tests.operate.server import HANG_UP, Answer, Api, Asked, says, serving
from tests.operate.terminal import Ended, run


def one_sentence(done: Ended, code: int, *words: str) -> None:
    """Check that a command said nothing but one line, with these words, and ended so."""
    assert done.code == code, done
    assert done.out == ""
    assert done.err.startswith("memgraph-ha: ")
    assert done.err.count("\n") == 1
    for word in words:
        assert word in done.err


def test_no_cluster_there(tmp_path: Path) -> None:
    """An empty data directory: exit code 3, and the command that starts one."""
    done = run(None, "status", "--data", str(tmp_path / "none"))
    one_sentence(done, 3, "there is no cluster in", f"memgraph-ha local --data {tmp_path / 'none'}")


def test_the_controller_of_a_data_directory_is_gone(tmp_path: Path) -> None:
    """A cluster that was made and does not run: exit code 3, and how to start it."""
    data = make_data(tmp_path / "data", free_port(), "t0k3n")
    done = run(None, "status", "--data", str(data))
    one_sentence(done, 3, "connection refused", f"start it with `memgraph-ha local --data {data}`")
    assert "t0k3n" not in done.err


def test_a_data_directory_leads_to_its_controller(api: Api, tmp_path: Path) -> None:
    """Port and token come from the data directory: reads and changes work without another option."""
    data = make_data(tmp_path / "data", api.port, "s3cr3t-token")
    assert run(None, "status", "--data", str(data)).code == 0
    assert run(None, "pause", "--data", str(data)).code == 0
    [pause] = api.sent("POST")
    assert pause.token == "s3cr3t-token"  # noqa: S105 - of the server in this test


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{]", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"http_port": -1}', "whole number from 0 to 65535"),
    ],
)
def test_a_data_directory_that_makes_no_sense(tmp_path: Path, content: str, words: str) -> None:
    """The file, the field and what is allowed are named."""
    (tmp_path / "cluster.json").write_text(content, encoding="utf-8")
    one_sentence(run(None, "status", "--data", str(tmp_path)), 2, "cluster.json", words)


def test_a_cluster_without_an_api(tmp_path: Path) -> None:
    """One of an older version must be started by this one; one that was made without says so: exit code 3."""
    (tmp_path / "cluster.json").write_text('{"schema": 1, "cluster": "c"}', encoding="utf-8")
    done = run(None, "status", "--data", str(tmp_path))
    one_sentence(done, 3, "serves no HTTP API", f"memgraph-ha local --data {tmp_path}")
    (tmp_path / "cluster.json").write_text('{"schema": 1, "cluster": "c", "http_port": 0}', encoding="utf-8")
    one_sentence(run(None, "status", "--data", str(tmp_path)), 3, "http_port is 0")


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://h:99999", "http://h/?q=1", "http://u:pw@h", "http://[x"])
def test_a_server_that_is_no_address(url: str) -> None:
    """It is said before anything is asked, and a password in it is not repeated."""
    done = run(None, "status", "--server", url)
    one_sentence(done, 2, "--server")
    assert "pw@" not in done.err


def test_nobody_listens() -> None:
    """Connection refused: exit code 3."""
    url = f"http://127.0.0.1:{free_port()}"
    one_sentence(run(None, "status", "--server", url), 3, f"no controller answers at {url} (connection refused)")


def test_a_name_that_nobody_knows() -> None:
    """A host that cannot be resolved: exit code 3."""
    one_sentence(run(None, "status", "--server", "http://no-such-host.invalid:8080"), 3, "no controller answers at")


def test_a_controller_that_hangs() -> None:
    """A question is given up after five seconds: exit code 3."""
    with listening(None) as port:
        one_sentence(run(None, "status", "--server", f"127.0.0.1:{port}"), 3, "does not answer within 5 s")


def test_somebody_else_listens_there() -> None:
    """A web server, or no web server at all: what answers is no controller."""
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<html"
    with listening(page) as port:
        one_sentence(run(None, "status", "--server", f"127.0.0.1:{port}"), 3, "is no controller of memgraph-ha")
    with listening(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        one_sentence(run(None, "status", "--server", f"127.0.0.1:{port}"), 3, "no controller answers at")


def test_plain_http_behind_https() -> None:
    """TLS that cannot be spoken is said so."""
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        one_sentence(run(None, "status", "--server", f"https://127.0.0.1:{port}"), 3, "TLS")


def test_an_answer_that_makes_no_sense(api: Api) -> None:
    """A document of another form is named with the field, and the way out."""
    api.scripts["GET", "cluster"] = says({"schema": "memgraph-ha/cluster/9", "instances": [{"role": "MAIN"}]})
    one_sentence(run(api, "status"), 3, "makes no sense to this version", "$.")


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (400, {"error": "field reason: too long"}, 2, "field reason: too long"),
        (401, {"error": "the token is missing or wrong"}, 4, "MEMGRAPH_HA_TOKEN"),
        (404, {"error": "there is no such path"}, 1, "there is no such path"),
        (409, {"ok": False, "error": "Flapping: too many reigns"}, 1, "Flapping: too many reigns"),
        (503, {"error": "this controller does not lead", "leader": "box-9"}, 3, "box-9 leads"),
        (503, {"error": "this controller does not lead", "leader": None}, 3, "does not lead"),
        (504, {"error": "no answer in time; it may still happen"}, 5, "may still happen"),
        (500, {}, 1, "answered 500 without a reason"),
    ],
)
def test_what_the_api_refuses(api: Api, status: int, body: dict[str, object], code: int, words: str) -> None:
    """Each status has its exit code; the API's sentence is shown, and its object with ``--json``."""
    api.scripts["POST", "restart"] = says(body, status)
    one_sentence(run(api, "restart", "memgraph-2"), code, words)
    done = run(api, "restart", "memgraph-2", "--json")
    assert done.code == code
    assert json.loads(done.out) == (body or {"error": "the controller answered 500 without a reason"})


def test_json_says_also_what_nobody_answered() -> None:
    """Without any answer of the API, ``--json`` still prints an object with the error."""
    done = run(None, "status", "--json", "--server", f"127.0.0.1:{free_port()}")
    assert done.code == 3
    assert "connection refused" in json.loads(done.out)["error"]


def test_no_token_and_a_wrong_token(api: Api, tmp_path: Path) -> None:
    """Exit code 4, and the token that was sent is not shown."""
    one_sentence(run(api, "pause", MEMGRAPH_HA_TOKEN=""), 4, "token is missing or wrong", "--token-file")
    file = tmp_path / "token"
    file.write_text("wr0ng\n", encoding="utf-8")
    done = run(api, "pause", "--token-file", str(file))
    one_sentence(done, 4, "token is missing or wrong")
    assert "wr0ng" not in done.err


@pytest.mark.parametrize("content", ["", "two words", "ümlaut", "\x00"])
def test_a_file_without_a_token(api: Api, tmp_path: Path, content: str) -> None:
    """It is named, its content is not."""
    file = tmp_path / "token"
    file.write_text(content, encoding="utf-8")
    done = run(api, "pause", "--token-file", str(file))
    one_sentence(done, 2, "holds no token")
    assert api.sent("POST") == []


def test_a_token_file_that_is_not_there(api: Api, tmp_path: Path) -> None:
    """Exit code 2, with its path."""
    one_sentence(run(api, "pause", "--token-file", str(tmp_path / "none")), 2, "does not exist")


def test_the_controller_dies_while_it_is_asked(api: Api) -> None:
    """A connection that ends in the middle of a change: exit code 5, it may still happen."""
    api.scripts["POST", "restart"] = says({}, HANG_UP)
    one_sentence(run(api, "restart", "memgraph-2"), 5, "went away before it answered", "may still happen")


def test_a_change_without_an_answer() -> None:
    """The controller hangs: exit code 5 when the time is over."""
    release = threading.Event()

    def hang(_asked: Asked) -> Answer:
        release.wait(30)
        return 200, {"ok": True, "text": "too late"}

    api = Api.healthy()
    api.scripts["POST", "restart"] = hang
    with serving(api):
        done = run(api, "restart", "memgraph-2", "--timeout", "1")
        release.set()
    assert done.code == 5
    assert "no answer within 6 s" in done.err
