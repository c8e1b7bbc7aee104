"""URLs as people write them: odd users and passwords, raw or percent-encoded, and secrets among their parameters."""

import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus, unquote

_ODD: Final = ":@/?#&=%+;!$'()*,[]~| \"<>\\^`{}é日ß\u202e%40%2F"
_PARAMETERS: Final = (
    "token",
    "pwd",
    "password",
    "api_key",
    "X-Amz-Signature",
    "auth",
    "sessionid",
    "user",
    "usr_login",
)
_HARMLESS: Final = ("channel=1", "quality=hd", "subtype=0", "", "stream=main")
_WRITE: Final[tuple[Callable[[str], str], ...]] = (
    str,
    quote,
    lambda text: quote(text, safe=""),
    quote_plus,
    lambda text: quote(quote(text, safe=""), safe=""),
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
)


@dataclass(frozen=True, slots=True)
class OddUrl:
    """A URL and what nobody may read of it."""

    url: str
    """Whole."""
    words: tuple[str, ...]
    """Runs of 8 random letters and digits: all secrets in it are made of them and odd signs."""
    secrets: tuple[str, ...]
    """User, password and parameters, plain."""

    def found_in(self, text: str) -> bool:
        """Whether any part of a secret is in it, in whatever form."""
        return any(form in text for form in self._forms())

    def _forms(self) -> set[str]:
        encoded = {quote(part, safe="") for part in self.secrets} | {quote(part) for part in self.secrets}
        escaped = {json.dumps(part)[1:-1] for part in self.secrets} | {repr(part)[1:-1] for part in self.secrets}
        hexed = {"".join(f"%{byte:02x}" for byte in word.encode()) for word in self.words}
        return {*self.words, *self.secrets, *encoded, *escaped, *hexed, *map(unquote, self.secrets)}


def odd_url(rng: random.Random, scheme: str, place: str) -> OddUrl:
    """A URL with a user and password, a secret parameter, or both.

    Args:
        rng: of all that is odd.
        scheme: such as `rtsp`.
        place: host and port.
    """
    words: list[str] = []
    user, password, value = (_secret(rng, words) for _ in range(3))
    form = rng.choice(("user:password", "password", "parameter", "both"))
    secrets: list[str] = []
    login, query = "", rng.choice(_HARMLESS)
    if form in {"user:password", "both"}:
        login, secrets = f"{rng.choice(_WRITE)(user)}:{rng.choice(_WRITE)(password)}@", [user, password]
    if form == "password":
        login, secrets = f":{rng.choice(_WRITE)(password)}@", [password]
    if form in {"parameter", "both"}:
        parts = [query, f"{rng.choice(_PARAMETERS)}={rng.choice(_WRITE[2:])(value)}", rng.choice(_HARMLESS)]
        query, secrets = "&".join(part for part in parts if part), [*secrets, value]
    url = f"{scheme}://{login}{place}/{rng.choice(('', 'stream', 'live/ch0', 'cgi-bin/video.mjpg'))}"
    used = [word for word in words if any(word in secret for secret in secrets)]
    return OddUrl(url + (f"?{query}" if query else ""), tuple(used), tuple(secrets))


def is_plain(url: OddUrl) -> bool:
    """Whether every program agrees on which host it names: nothing odd is written raw before it."""
    login = url.url.partition("://")[2].rpartition("@")[0]
    return all(sign.isalnum() or sign in ":%" for sign in login) and login.isascii()


def _secret(rng: random.Random, words: list[str]) -> str:
    """Random words, odd signs before, between and behind them."""
    text = _signs(rng)
    for _ in range(rng.randint(1, 3)):
        words.append("".join(rng.choices(string.ascii_letters + string.digits, k=8)))
        text += words[-1] + _signs(rng)
    return text


def _signs(rng: random.Random) -> str:
    return "".join(rng.choices(_ODD, k=rng.choice((0, 0, 1, 3))))
