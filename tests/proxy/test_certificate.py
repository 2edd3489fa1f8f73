"""The certificate and its files: what is wrong with them is named, and what is new in them is used."""

import logging
import os
import shutil
import ssl
from pathlib import Path

import pytest
import trio

from memgraph_ha.proxy import certificate as module
from memgraph_ha.proxy.certificate import Certificate
from memgraph_ha.proxy.options import Options
from tests.proxy.certificates import Pair, client_context, connect_tls, encrypt_key, make_pair, read_exactly
from tests.proxy.harness import echo, gateway, main_server, permit, until


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate."""
    return make_pair(tmp_path_factory.mktemp("old"), "old")


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The one that follows it."""
    return make_pair(tmp_path_factory.mktemp("new"), "new")


@pytest.fixture
def live(tmp_path: Path, old: Pair) -> Pair:
    """The files that a gateway serves from: at first the old ones."""
    pair = Pair(tmp_path / "tls.crt", tmp_path / "tls.key")
    _install(old, pair)
    return pair


def _install(source: Pair, live: Pair) -> None:
    """Replace both files, one after the other, as ``mv`` does."""
    for path, target in ((source.cert, live.cert), (source.key, live.key)):
        beside = target.with_suffix(".tmp")
        shutil.copyfile(path, beside)
        beside.replace(target)


def _complaint(pair: Pair) -> str:
    with pytest.raises(ValueError, match="tls_") as caught:
        Certificate(pair.cert, pair.key)
    return str(caught.value)


def test_files_that_cannot_be_used_are_named_with_the_reason(tmp_path: Path, old: Pair, new: Pair) -> None:
    """Missing, a directory, no PEM, a key where the certificate belongs, another's key, an encrypted one."""
    missing, garbage, empty = tmp_path / "missing", tmp_path / "garbage", tmp_path / "empty"
    garbage.write_bytes(os.urandom(100))
    empty.touch()
    cut = tmp_path / "cut"
    cut.write_bytes(old.cert.read_bytes()[:300])
    for cert in (missing, tmp_path, garbage, empty, cut, old.key):
        assert _complaint(Pair(cert, old.key)).startswith(f"tls_cert: {cert} ")
    for key in (missing, tmp_path, garbage, empty, old.cert, new.key, encrypt_key(old).key):
        assert _complaint(Pair(old.cert, key)).startswith(f"tls_key: {key} ")
    assert "(No such file or directory): give a PEM file" in _complaint(Pair(missing, old.key))
    assert "(key values mismatch)" in _complaint(Pair(old.cert, new.key))
    secret = old.key.read_text().splitlines()[1]
    assert secret not in _complaint(Pair(old.key, old.key))


def test_old_versions_and_renegotiation_are_off(old: Pair) -> None:
    """TLS 1.2 is the least."""
    context = Certificate(old.cert, old.key).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


def test_nothing_is_loaded_while_nothing_changes(live: Pair) -> None:
    """A look at unchanged files costs two calls of stat."""
    certificate = Certificate(live.cert, live.key)
    context = certificate.context
    assert not certificate.refresh()
    assert certificate.context is context


def test_a_rotation_caught_halfway_is_completed_at_the_next_look(
    live: Pair, new: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """The new certificate with the old key is an error, logged once; with its key it is used."""
    certificate = Certificate(live.cert, live.key)
    context = certificate.context
    shutil.copyfile(new.cert, live.cert)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            assert not certificate.refresh()
        assert certificate.context is context
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert str(live.key) in caplog.text
        shutil.copyfile(new.key, live.key)
        assert certificate.refresh()
    assert certificate.context is not context
    assert caplog.records[-1].levelname == "INFO"


def test_a_file_that_goes_away_and_comes_back_is_loaded_again(
    live: Pair, new: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """Meanwhile the old certificate serves."""
    certificate = Certificate(live.cert, live.key)
    context = certificate.context
    live.cert.unlink()
    with caplog.at_level(logging.ERROR):
        assert not certificate.refresh()
        assert not certificate.refresh()
    assert len(caplog.records) == 1
    assert certificate.context is context
    _install(new, live)
    assert certificate.refresh()


def test_another_target_of_a_symbolic_link_is_a_change(tmp_path: Path, old: Pair) -> None:
    """As Kubernetes replaces a mounted secret: one link is moved, the paths stay, sizes and times may be the same."""
    for name in ("1", "2"):
        _install_in(tmp_path / name, old)
        for path in (tmp_path / name).iterdir():
            os.utime(path, (1, 1))
    data = tmp_path / "data"
    data.symlink_to("1")
    certificate = Certificate(data / "tls.crt", data / "tls.key")
    (tmp_path / "later").symlink_to("2")
    (tmp_path / "later").replace(data)
    assert certificate.refresh()


def _install_in(folder: Path, pair: Pair) -> None:
    folder.mkdir()
    _install(pair, Pair(folder / "tls.crt", folder / "tls.key"))


@pytest.mark.trio
async def test_new_clients_see_the_new_certificate_and_old_ones_stay(
    live: Pair, old: Pair, new: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A serving gateway follows its files; a bad pair in between changes nothing for anybody."""
    monkeypatch.setattr(module, "FOLLOW_S", 0.01)
    certificate = Certificate(live.cert, live.key)
    first = certificate.context
    async with main_server(echo) as main, gateway(options=Options(tls=certificate)) as gate:
        gate.apply(permit(main.port))
        early = await connect_tls(gate, client_context(old))
        live.key.write_text("rubbish")
        await until(lambda: certificate._tried == certificate._signatures())
        between = await connect_tls(gate, client_context(old))
        assert certificate.context is first
        _install(new, live)
        await until(lambda: certificate.context is not first)
        late = await connect_tls(gate, client_context(new))
        with pytest.raises(trio.BrokenResourceError):
            await connect_tls(gate, client_context(old))
        for client in (early, between, late):
            await client.send_all(b"alive")
            assert await read_exactly(client, 5) == b"alive"
