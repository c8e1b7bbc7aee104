"""The password of the page, and the command that sets it."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.web.password import Password, read_password, scrypt

HEED = str(Path(sys.executable).with_name("heed"))


def test_what_is_kept_is_not_the_password_and_differs_each_time() -> None:
    one, other = scrypt("correct horse"), scrypt("correct horse")
    assert one != other
    assert "correct" not in one
    assert Password(one).is_right("correct horse")
    assert not Password(one).is_right("correct hors")


def test_a_session_is_of_one_password_and_cannot_be_made_up() -> None:
    password, other = Password(scrypt("correct horse")), Password(scrypt("correct horse"))
    session = password.session()
    assert password.is_session(session)
    assert not other.is_session(session)
    until, _, signature = session.partition(".")
    for made_up in (f"{int(until) + 1}.{signature}", f"0.{signature}", signature, "", ".", "x.y", "\u0663.\u0663"):
        assert not password.is_session(made_up)


@pytest.mark.parametrize("stored", ["", "scrypt$", "scrypt$zz$00", "plain$00$00", "correct horse"])
def test_a_damaged_password_lets_nobody_in(stored: str) -> None:
    with pytest.raises(ConfigError, match="damaged; set it with"):
        Password(stored)


def heed(*words: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [HEED, *map(str, words)]
    return subprocess.run(command, input=typed, capture_output=True, text=True, check=False, timeout=60)


def test_a_password_is_set_for_this_user_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for password in ("correct horse", "battery staple"):
        assert heed("serve", "--set-password", "--state", state, typed=f"{password}\n").returncode == 0
    kept = read_password(state / "web-password")
    assert kept is not None
    assert (kept.is_right("battery staple"), kept.is_right("correct horse")) == (True, False)
    assert stat.S_IMODE((state / "web-password").stat().st_mode) == 0o600
    short = heed("serve", "--set-password", "--state", state, typed="short\n")
    assert (short.returncode, short.stderr) == (
        2,
        "heed: serve: a password of fewer than 8 characters; take a longer one\n",
    )


def test_nobody_else_may_look_without_a_password(tmp_path: Path) -> None:
    said = heed("serve", "--host", "0.0.0.0", "--state", tmp_path)  # noqa: S104 - refused
    assert said.returncode == 1
    assert said.stderr == (
        "heed: serve: 0.0.0.0: no password, and others could look; set one with `heed serve --set-password`\n"
    )
