"""Passwords taken out of whatever is shown: messages, logs, alerts, pages."""

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

MASK = "***"

# Every repetition before the mark that it looks for is bounded: text of any length is read in linear time.
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s'\"<>]*")
_SECRET_PARAMETER = re.compile(
    r"([/?&;#][^/?=&;#]{0,80}(?:pass|pwd|token|secret|key|auth|sig|user|login|cred|session)[^/?=&;#]{0,80}=)([^&;#]*)",
    re.IGNORECASE,
)
"""In the query; or in the path, where some recorders have them: `/user=admin_password=1234_channel=1.sdp`."""
_SHORTEST = 4
"""Characters of what is masked outside its URL: `auth=1` does not make every 1 a secret."""
_WORD = re.compile(r"[A-Za-z]{1,7}")
"""A user of such a name, `user` or `admin`, is masked in URLs alone: a mask amid prose would tell the word."""


def redact_url(url: str) -> str:
    """The URL without user, password and secret parameters; a path without a scheme stays as it is.

    The *last* `@` ends the user and password: one too many in a path hides too much, one too few would show a part.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    _, at, rest = rest.rpartition("@")
    rest = _SECRET_PARAMETER.sub(rf"\1{MASK}", rest)
    return f"{scheme}://{MASK if at else ''}{at}{rest}"


def url_secrets(url: str) -> tuple[str, ...]:
    """The user, password and secret parameters of a URL, to be handed to `redact`."""
    _, mark, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    if not mark:
        return ()
    user, _, password = login.partition(":") if at else ("", "", "")
    values = [password, *(value for _, value in _SECRET_PARAMETER.findall(place))]
    whole = (login,) if ":" in login else ()
    named = (user,) if user and not _WORD.fullmatch(user) else ()
    return (*whole, *named, *(value for value in values if len(value) >= _SHORTEST))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with its URLs redacted and the secrets masked, written plainly, percent-encoded or with backslashes."""
    plain = {form for secret in secrets for form in (secret, unquote(secret))}
    forms = {form for secret in plain for form in (secret, quote(secret, safe=""), quote(secret), repr(secret)[1:-1])}
    for form in sorted(forms - {""}, key=len, reverse=True):
        text = text.replace(form, MASK)
    return _URL.sub(lambda url: redact_url(url.group()), text)  # last: an odd sign in a password cuts a URL off
