"""Passwords taken out of whatever is shown: messages, logs, alerts, pages."""

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

MASK = "***"

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>]*")
_SECRET_PARAMETER = re.compile(
    r"((?:^|[?&;#])[^=&;#]*(?:pass|pwd|token|secret|key|auth|sig|user|login|cred|session)[^=&;#]*=)[^&;#]*",
    re.IGNORECASE,
)


def redact_url(url: str) -> str:
    """The URL without user, password and secret parameters; a path without a scheme stays as it is.

    The *last* `@` ends the user and password: one too many in a path hides too much, one too few would show a part.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    _, at, rest = rest.rpartition("@")
    path, query, parameters = rest.partition("?")
    parameters = _SECRET_PARAMETER.sub(rf"\1{MASK}", f"?{parameters}")[1:]
    return f"{scheme}://{MASK if at else ''}{at}{path}{query}{parameters}"


def url_secrets(url: str) -> tuple[str, ...]:
    """The user and password of a URL, to be handed to `redact`."""
    _, mark, rest = url.partition("://")
    user, at, _ = rest.rpartition("@")
    return tuple(part for part in (user, *user.split(":", 1)) if part) if mark and at else ()


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with its URLs redacted and the secrets masked, written plainly or percent-encoded."""
    text = _URL.sub(lambda url: redact_url(url.group()), text)
    forms = {form for secret in secrets for form in (secret, unquote(secret), quote(secret, safe=""), quote(secret))}
    for form in sorted(forms - {""}, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text
