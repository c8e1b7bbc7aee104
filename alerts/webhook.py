"""Alerts as HTTP requests, signed by the Standard Webhooks specification 1.0.0 (standardwebhooks.com)."""

import base64
import hashlib
import hmac
import http.client
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Final
from urllib.parse import unquote, urlsplit

from alerts import keys
from alerts.alert import Alert
from alerts.dial import cut_after, dial, said_of, tls_context
from alerts.errors import DeliveryError, PrivateAddressError
from alerts.targets import WEBHOOK_PORTS, Endpoint, check_webhook

_PASSING: Final = frozenset({429, 500, 502, 503, 504})
"""Answers after which it is tried again: too many requests, and a server that is in trouble."""
_log = logging.getLogger(__name__)


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` of a message: `v1,` and the HMAC-SHA256 of id, time and body in base64.

    Args:
        key: As `signing_key` gives it.
        message_id: The `webhook-id`.
        timestamp: The `webhook-timestamp`, seconds since 1970.
        body: What is posted, byte for byte.
    """
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def message_id(alert: Alert) -> str:
    """The `webhook-id`: the same for every attempt to tell this step of this event, and for no other.

    A hash, for names may hold what a header must not.
    """
    return "msg_" + hashlib.sha256(f"{alert.sequence} {alert.id}".encode()).hexdigest()[:32]


class Webhook:
    """Posts alerts to an endpoint, each until it is taken or refused."""

    def __init__(
        self,
        endpoint: Endpoint,
        stopped: threading.Event,
        *,
        seconds: float = keys.WEBHOOK_SECONDS,
        pauses: Sequence[float] = keys.WEBHOOK_PAUSES,
    ) -> None:
        """Connects to nothing yet.

        Args:
            endpoint: Where to.
            stopped: Set it to give up waiting for the next attempt.
            seconds: For one attempt, from the connection to the answer.
            pauses: Before each of the further attempts, in seconds.

        Raises:
            TargetError: the endpoint's authorities cannot be read.
        """
        self._endpoint, self._stopped = endpoint, stopped
        self._seconds, self._pauses = seconds, pauses
        self._url = urlsplit(check_webhook(endpoint.url))
        self._tls = tls_context(f"webhook: {endpoint.name}", endpoint.ca_file) if self._url.scheme == "https" else None

    def send(self, alert: Alert) -> bool:
        """Whether the alert was taken; not if the program is to end before.

        Raises:
            DeliveryError: it is refused, or all attempts have failed.
        """
        body = alert.to_json().encode()
        for pause in self._pauses:
            try:
                self._attempt(alert, body)
            except DeliveryError as error:
                if not error.is_passing:
                    raise
                _log.warning("%s; next try in %g s", error, pause)
            else:
                return True
            if self._stopped.wait(pause):
                return False
        self._attempt(alert, body)
        return True

    def _attempt(self, alert: Alert, body: bytes) -> None:
        began = time.monotonic()
        try:
            status = self._post(body, self._headers(alert, body))
            if time.monotonic() - began >= self._seconds:
                raise TimeoutError  # it was cut amid the answer
        except PrivateAddressError as error:
            raise self._failed(str(error), is_passing=False) from None
        except (OSError, http.client.HTTPException) as error:
            is_late = isinstance(error, TimeoutError) or time.monotonic() - began >= self._seconds
            said = f"no answer within {self._seconds:g} s" if is_late else said_of(error)
            raise self._failed(said, is_passing=True) from None
        if status // 100 == 3:
            raise self._failed(f"answered {status}: redirects are not followed; correct its url", is_passing=False)
        if status // 100 != 2:
            raise self._failed(f"answered {status}", is_passing=status in _PASSING)

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        """The status of the answer; the rest of it is not read."""
        host, port = self._url.hostname or "", self._url.port or WEBHOOK_PORTS[self._url.scheme]
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        began = time.monotonic()
        with closing(dial(host, port, self._seconds, allow_private=self._endpoint.allow_private)) as plain:
            left = max(0.0, self._seconds - (time.monotonic() - began))
            with cut_after(plain, left):
                connection = http.client.HTTPConnection(host, port)
                connection.sock = self._tls.wrap_socket(plain, server_hostname=host) if self._tls else plain
                with closing(connection):
                    connection.request("POST", path, body, headers)
                    with connection.getresponse() as answer:
                        return answer.status

    def _headers(self, alert: Alert, body: bytes) -> dict[str, str]:
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "heed",
            "connection": "close",
            "webhook-id": message_id(alert),
            "webhook-timestamp": str(timestamp),
        }
        if self._endpoint.key is not None:
            headers["webhook-signature"] = signature(self._endpoint.key, message_id(alert), timestamp, body)
        if self._url.username is not None:
            login = f"{unquote(self._url.username)}:{unquote(self._url.password or '')}"
            headers["authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        return headers

    def _failed(self, said: str, *, is_passing: bool) -> DeliveryError:
        return DeliveryError(f"webhook: {self._endpoint.name}: {said}", is_passing=is_passing)
