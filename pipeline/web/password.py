"""The password of the page: kept as its scrypt, and what a browser shows once it has given it."""

import base64
import hashlib
import hmac
import secrets
import time
from pathlib import Path
from threading import Lock
from typing import Final

from pipeline.errors import ConfigError

SESSION_SECONDS: Final = 7 * 86_400
"""How long a browser need not ask again."""
SHORTEST: Final = 8
"""Characters of a password."""
_COST: Final = {"n": 2**14, "r": 8, "p": 5}
"""As OWASP has it for scrypt: 16 MiB, some 0.2 s."""


class Password:
    """Says who may look."""

    def __init__(self, stored: str) -> None:
        """Takes what `scrypt` wrote.

        Raises:
            ConfigError: it is nothing of that kind.
        """
        try:
            kind, salt, digest = stored.strip().split("$")
            self._salt, self._digest = bytes.fromhex(salt), bytes.fromhex(digest)
        except ValueError:
            kind = ""
        if kind != "scrypt":
            raise ConfigError("serve: the stored password is damaged; set it with `heed serve --set-password`")
        self._key = hmac.digest(self._digest, b"session", "sha256")
        self._one_at_a_time = Lock()
        self._right = b""  # of the last right one, so that a scraper does not cost a scrypt every time

    def is_right(self, password: str) -> bool:
        """Whether it is the password. A wrong one takes a while, and others wait: no guessing in parallel."""
        quick = hmac.digest(self._key, password.encode(), "sha256")
        if hmac.compare_digest(quick, self._right):
            return True
        with self._one_at_a_time:
            is_right = hmac.compare_digest(_digest(password, self._salt), self._digest)
            if is_right:
                self._right = quick
            else:
                time.sleep(0.5)
        return is_right

    def session(self) -> str:
        """What a browser that has given the password shows from then on."""
        until = str(int(time.time()) + SESSION_SECONDS)
        return f"{until}.{self._sign(until)}"

    def is_session(self, shown: str) -> bool:
        """Whether it is one, and not over. A new password ends all."""
        until, _, signature = shown.partition(".")
        is_ours = hmac.compare_digest(self._sign(until).encode(), signature.encode())
        return is_ours and int(until) > time.time()

    def is_basic(self, header: str) -> bool:
        """Whether an `Authorization` header has the password, of whatever user."""
        kind, _, login = header.partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            _, _, password = base64.b64decode(login, validate=True).decode().partition(":")
        except ValueError:
            return False
        return self.is_right(password)

    def _sign(self, until: str) -> str:
        return hmac.new(self._key, until.encode(), "sha256").hexdigest()


def scrypt(password: str) -> str:
    """What is kept of a password.

    Raises:
        ConfigError: it is too short.
    """
    if len(password) < SHORTEST:
        raise ConfigError(f"serve: a password of fewer than {SHORTEST} characters; take a longer one")
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${_digest(password, salt).hex()}"


def read_password(path: Path) -> Password | None:
    """The password that was set; none was.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return Password(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"serve: {path}: {error}; set it with `heed serve --set-password`") from None


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **_COST)
