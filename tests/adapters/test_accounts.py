"""The accounts file: what is taken, what is refused, and that no password ever shows."""

from pathlib import Path

import pytest

from memgraph_ha.adapters.accounts import Account, Accounts, AccountsError, load_accounts
from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.core.policy import Policy
from tests.adapters.memgraph_rig import boottime_s

SECRET = "correct horse"  # noqa: S105 - opens nothing
CONTROLLER = f"[controller]\nuser = 'keeper'\npassword = '{SECRET}'\n"


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    """A file with that text, and that mode whatever the umask."""
    path = folder / "accounts.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_controller_and_accounts_are_read_in_order(tmp_path: Path) -> None:
    """The controller comes first: once there is one user, who has none cannot log in."""
    text = CONTROLLER + "[[account]]\nuser = 'app'\npassword = 'a'\n[[account]]\nuser = 'Reports'\npassword = 'b\"\\'\n"
    accounts = load_accounts(written(tmp_path, text))
    assert [each.user for each in accounts.everyone] == ["keeper", "app", "Reports"]
    assert [each.key for each in accounts.everyone] == ["keeper", "app", "reports"]
    assert accounts.auth == ("keeper", SECRET)
    assert [each.password for each in accounts.others] == ["a", 'b"\\']


def test_a_controller_alone_is_enough(tmp_path: Path) -> None:
    """The applications may live without accounts."""
    assert load_accounts(written(tmp_path, CONTROLLER)).others == ()


def test_passwords_are_in_no_repr() -> None:
    """Whoever prints the accounts prints names."""
    accounts = Accounts(controller=Account(user="keeper", password=SECRET))
    assert SECRET not in repr(accounts)
    assert SECRET not in str(accounts)
    assert "keeper" in repr(accounts)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o777])
def test_a_file_that_others_may_read_is_refused_with_the_fix(tmp_path: Path, mode: int) -> None:
    """The error says what to type."""
    path = written(tmp_path, CONTROLLER, mode)
    with pytest.raises(AccountsError, match=f"mode {mode:o}: .*run 'chmod 600 {path}'"):
        load_accounts(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"\[controller\] must be a table with user and password"),
        ("controller = 'keeper'", r"\[controller\] must be a table"),
        ("[controller]\nuser = 'keeper'\n", r"\[controller\] password must be a text that is not empty"),
        (f"[controller]\nuser = ''\npassword = '{SECRET}'\n", r"\[controller\] user must be a text"),
        (CONTROLLER + "role = 'admin'\n", r"\[controller\] role is not known: allowed are password, user"),
        (CONTROLLER + "[users]\n", "users is not known: allowed are account, controller"),
        (CONTROLLER + "[account]\nuser = 'a'\npassword = 'b'\n", r"write \[\[account\]\], not \[account\]"),
        (
            CONTROLLER + "[[account]]\nuser = 'a'\npassword = 7777\n",
            r"\[\[account\]\] number 1 password must be a text",
        ),
        (CONTROLLER + "[[account]]\nuser = 'KEEPER'\npassword = 'x'\n", "'KEEPER' is there twice"),
        (CONTROLLER + "[[account\n", "is no TOML"),
        (f"[controller]\npassword = '{SECRET}'\npassword = '{SECRET}'\n", "is no TOML"),
    ],
)
def test_what_is_wrong_is_named_and_no_password_shown(tmp_path: Path, text: str, said: str) -> None:
    """File, field and fix, whatever the file holds instead."""
    path = written(tmp_path, text)
    with pytest.raises(AccountsError, match=said) as caught:
        load_accounts(path)
    assert str(path) in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "7777" not in str(caught.value)


def test_a_missing_file_and_one_that_is_not_text(tmp_path: Path) -> None:
    """Both are named."""
    with pytest.raises(AccountsError, match="No such file or directory"):
        load_accounts(tmp_path / "none.toml")
    path = written(tmp_path, "")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(AccountsError, match="is not UTF-8"):
        load_accounts(path)


@pytest.mark.parametrize("auth", [("keeper", "another"), ("admin", SECRET)])
def test_the_adapter_refuses_two_logins_that_disagree(auth: tuple[str, str]) -> None:
    """After the accounts were restored it could not log in any more."""
    accounts = Accounts(controller=Account(user="keeper", password=SECRET))
    with pytest.raises(ValueError, match="is not \\[controller\\] of the accounts") as caught:
        MemgraphDatabase(Policy(), auth=auth, accounts=accounts, clock=boottime_s)
    assert SECRET not in str(caught.value)
    assert "another" not in str(caught.value)
