"""Webhooks: what is posted and how it is signed, what is tried again, and where nothing is posted to."""

import base64
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import make_alert
from jsonschema import Draft202012Validator
from redis_servers import certificate
from webhook_server import Receiver

from alerts.alert import SCHEMA_PATH
from alerts.dial import is_public
from alerts.errors import DeliveryError, TargetError
from alerts.targets import Endpoint, check_broker, check_webhook, signing_key
from alerts.webhook import Webhook, message_id, signature

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
NO_PAUSES = (0.0, 0.0, 0.0)
SCHEMA = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))


def webhook(url: str, *, seconds: float = 10, allow_private: bool = True, ca_file: Path | None = None) -> Webhook:
    """One that does not pause between attempts."""
    endpoint = Endpoint("desk", url, signing_key(SECRET), allow_private, ca_file)
    return Webhook(endpoint, threading.Event(), seconds=seconds, pauses=NO_PAUSES)


def refusal(url: str, *, allow_private: bool = True, seconds: float = 10, ca_file: Path | None = None) -> str:
    """What is said when an alert cannot be posted there."""
    with pytest.raises(DeliveryError) as caught:
        webhook(url, allow_private=allow_private, seconds=seconds, ca_file=ca_file).send(make_alert())
    return str(caught.value)


def test_an_alert_is_posted_as_it_is_and_fits_the_published_schema() -> None:
    alert = make_alert(3, text="<script>alert(1)</script>\r\nX-Evil: 1 \N{RIGHT-TO-LEFT OVERRIDE}")
    with Receiver() as receiver:
        assert webhook(receiver.url + "?token=abc").send(alert)
    ((headers, body),) = receiver.got
    assert receiver.paths == ["/hook?token=abc"]
    assert body.decode() == alert.to_json()
    assert headers["content-type"] == "application/json"
    assert "x-evil" not in headers
    Draft202012Validator(SCHEMA).validate(json.loads(body))


def test_the_signature_is_that_of_the_standard() -> None:
    """The expected value is in the tests of the standard's own Python library."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") == key
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_request_is_signed_with_its_time_and_its_id_stays_the_same() -> None:
    with Receiver([503]) as receiver:
        assert webhook(receiver.url).send(make_alert(1))
        assert webhook(receiver.url).send(make_alert(2))
    for headers, body in receiver.got:
        timestamp = int(headers["webhook-timestamp"])
        assert abs(timestamp - time.time()) < 300
        assert headers["webhook-signature"] == signature(bytes(range(24)), headers["webhook-id"], timestamp, body)
    first, again, other = (headers["webhook-id"] for headers, _ in receiver.got)
    assert first == again == message_id(make_alert(1))
    assert other != first


def test_without_a_secret_nothing_is_signed_and_a_login_in_the_url_is_sent() -> None:
    with Receiver() as receiver:
        url = receiver.url.replace("//", "//me:p%40ss@")
        assert Webhook(Endpoint("desk", url, allow_private=True), threading.Event()).send(make_alert())
    ((headers, _),) = receiver.got
    assert "webhook-signature" not in headers
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"me:p@ss"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_tried_three_times_more(status: int, caplog: pytest.LogCaptureFixture) -> None:
    with Receiver([status] * 3) as receiver:
        assert webhook(receiver.url).send(make_alert())
    assert len(receiver.got) == 4
    assert f"webhook: desk: answered {status}; next try in 0 s" in caplog.text
    with Receiver([status] * 9) as receiver:
        assert refusal(receiver.url) == f"webhook: desk: answered {status}"
    assert len(receiver.got) == 4


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "answered 400"),
        (404, "answered 404"),
        (410, "answered 410"),
        (302, "answered 302: redirects are not followed; correct its url"),
        (307, "answered 307: redirects are not followed; correct its url"),
    ],
)
def test_who_refuses_is_not_asked_again_nor_followed(status: int, said: str) -> None:
    with Receiver([status]) as receiver:
        assert refusal(receiver.url) == f"webhook: desk: {said}"
    assert len(receiver.got) == 1


def test_nobody_there_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert refusal(f"http://127.0.0.1:{port}/s3cret-token") == "webhook: desk: connection refused"
    assert caplog.text.count("next try in") == 3
    assert "s3cret" not in caplog.text


def test_the_program_ends_while_it_waits_for_the_next_attempt() -> None:
    stopped = threading.Event()
    with Receiver([503] * 9) as receiver:
        hook = Webhook(Endpoint("desk", receiver.url, allow_private=True), stopped, pauses=(600.0,))
        threading.Timer(0.2, stopped.set).start()
        assert hook.send(make_alert()) is False
    assert len(receiver.got) == 1


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that does this with every connection, and hangs up when the test is over."""
    calls: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                call, _ = listening.accept()
            except OSError:
                return
            calls.append(call)
            threading.Thread(target=serve, args=(call,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for call in calls:
                call.close()


def silence(_call: socket.socket) -> None:
    """Says nothing for ever."""


def drip(call: socket.socket) -> None:
    """Headers without an end, byte by byte: no single one is late."""
    try:
        call.sendall(b"HTTP/1.1 200 OK\r\nx: ")
        while True:
            call.sendall(b"x")
            time.sleep(0.02)
    except OSError:
        return


def chatter(call: socket.socket) -> None:
    """What is no HTTP."""
    call.recv(65536)
    call.sendall(b"SSH-2.0-OpenSSH\r\n")
    call.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("scheme", "serve"), [("http", silence), ("https", silence), ("http", drip)])
def test_a_slow_server_is_given_up_in_time(scheme: str, serve: Callable[[socket.socket], None]) -> None:
    with server(serve) as address:
        began = time.monotonic()
        said = refusal(f"{scheme}://{address}/", seconds=0.3)
        assert time.monotonic() - began < 8
    assert said == "webhook: desk: no answer within 0.3 s"


def test_an_unknown_host_is_a_failure() -> None:
    assert re.fullmatch(r"webhook: desk: [a-z ]+", refusal("http://nowhere.invalid/"))


def test_what_is_no_http_is_a_failure() -> None:
    with server(chatter) as address:
        assert refusal(f"http://{address}/") == "webhook: desk: hung up, or no HTTP"


def test_tls_is_checked(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path)
    with Receiver(certificate=(crt, key)) as receiver:
        assert webhook(receiver.url, ca_file=crt).send(make_alert())
        assert "certificate refused: self-signed certificate" in refusal(receiver.url)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_told(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TargetError, match=r"\Awebhook: desk: ca_file .*ca.crt: .*; name a PEM file\Z"):
        webhook("https://localhost/", ca_file=path)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0", "[::1]", "[::ffff:127.0.0.1]", "2130706433"])
def test_this_machine_is_not_posted_to_unless_it_is_allowed(host: str) -> None:
    with Receiver() as receiver:
        said = refusal(f"http://{host}:{receiver.port}/", allow_private=False)
    assert said == "webhook: desk: leads to a private address; allow_private lets it"
    assert receiver.got == []


@pytest.mark.parametrize(
    "address",
    [
        *(
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.8.9.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.1.2.3",
            "224.0.0.1",
        ),
        *("240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%lo", "fec0::1", "fc00::1", "ff02::1"),
        *("::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "4000::1"),
    ],
)
def test_an_address_within_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_?", SECRET.removeprefix("whsec_"), "whsec_é"]
)
def test_what_is_no_secret_of_the_standard_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match=r"\Amust be whsec_ and 24 to 64 bytes in base64\Z"):
        signing_key(secret)


@pytest.mark.parametrize(
    "url",
    [
        *("", "desk", "ftp://host/", "http://", "http://host:0/", "http://host:99999/", "http://[::1/", "http://h/ä"),
        *("http://h/a b", "http://h/\r\nx: 1", "http://me:s3/cret@host/", "http://me:1#s3cret@host/"),
    ],
)
def test_what_is_no_url_of_a_webhook_or_broker_is_refused_without_being_told(url: str) -> None:
    for check, told in ((check_webhook, url), (check_broker, url.replace("http", "mqtt"))):
        with pytest.raises(ValueError, match=r"\Amust be ") as caught:
            check(told)
        assert "s3" not in str(caught.value)


def test_an_endpoint_is_shown_without_what_is_secret() -> None:
    shown = repr(Endpoint("desk", "https://hooks.example/s3cret", b"k3y"))
    assert "s3cret" not in shown
    assert "k3y" not in shown
    assert "desk" in shown


def test_a_dead_target_is_told_at_the_level_of_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Receiver([500]) as receiver:
        webhook(receiver.url).send(make_alert())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
