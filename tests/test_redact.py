"""What opens a camera is never shown."""

import string
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.redact import redact, redact_url, url_secrets

ODD = st.text(string.ascii_letters + string.digits + ":@/?#&=%+ é", min_size=6, max_size=16)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:secret@10.0.0.7:554/h264", "rtsp://***@10.0.0.7:554/h264"),
        ("rtsp://admin@10.0.0.7/h264", "rtsp://***@10.0.0.7/h264"),
        ("rtsp://admin:p@ss/w:rd@10.0.0.7/h264", "rtsp://***@10.0.0.7/h264"),
        ("rtsp://admin:p%40ss@cam/h264", "rtsp://***@cam/h264"),
        ("https://cdn/live.m3u8?token=abc&quality=hd", "https://cdn/live.m3u8?token=***&quality=hd"),
        ("http://cam/cgi?usr=a&pwd=b&Password=c&channel=1", "http://cam/cgi?usr=a&pwd=***&Password=***&channel=1"),
        ("http://cam?token=abc", "http://cam?token=***"),
        ("http://cam/pass?channel=1", "http://cam/pass?channel=1"),
        ("rtsp://cam/user=admin_password=1234_channel=1.sdp?real_stream", "rtsp://cam/user=***"),
        ("redis://:secret@localhost:6379/0", "redis://***@localhost:6379/0"),
        ("rtsp://10.0.0.7/h264", "rtsp://10.0.0.7/h264"),
        ("clips/mail@home.mp4", "clips/mail@home.mp4"),
        ("/dev/video0", "/dev/video0"),
    ],
)
def test_a_url_is_shown_without_what_opens_it(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@given(ODD, ODD)
@example("admin", "with@and/and?and#in it")
def test_no_password_however_odd_survives(user: str, password: str) -> None:
    url = f"rtsp://{user}:{password}@camera.invalid:554/stream"
    assert redact_url(url) == "rtsp://***@camera.invalid:554/stream"


@given(ODD)
def test_a_registered_secret_is_masked_plain_and_percent_encoded(password: str) -> None:
    url = f"rtsp://u:{quote(password, safe='')}@camera.invalid/stream"
    text = f"401 for {password} and {quote(password, safe='')} on channel 7"
    assert redact(text, url_secrets(url)) == "401 for *** and *** on channel 7"


def test_a_secret_parameter_is_masked_in_a_url_that_odd_signs_cut_off() -> None:
    url = "http://us er:pass@cam/live?token=abcd-1234&auth=1"
    assert (
        redact(f"no {url} at 1 o'clock", url_secrets(url)) == "no http://***@cam/live?token=***&auth=*** at 1 o'clock"
    )


def test_a_password_that_cuts_its_url_off_is_masked_whole() -> None:
    url = "tcp://guard:0@0M0bF8>@cam/1"
    assert redact(f"no {url}", url_secrets(url)) == "no tcp://***@cam/1"


def test_a_secret_is_masked_where_an_error_has_it_with_backslashes() -> None:
    url = "rtsp://a\\b:it's\\it@cam/1"
    assert redact(str(OSError(2, "refused", url)), url_secrets(url)) == '[Errno 2] refused: "rtsp://***@cam/1"'


def test_urls_within_a_text_are_redacted() -> None:
    text = "Could not open 'rtsp://a:b@cam/1' (rtsp://c:d@cam/2): refused"
    assert redact(text) == "Could not open 'rtsp://***@cam/1' (rtsp://***@cam/2): refused"


def test_the_secrets_of_a_url_without_any_are_none() -> None:
    assert url_secrets("rtsp://cam/1") == ()
    assert url_secrets("clips/mail@home.mp4") == ()


def test_a_mask_does_not_tell_a_word_by_its_place() -> None:
    text = "source: gate: user or password refused; admin:abc"
    assert redact(text, url_secrets("rtsp://user:abc@cam/1")) == text
    assert redact(text, url_secrets("rtsp://admin:abc@cam/1")) == "source: gate: user or password refused; ***"
    assert redact(text, url_secrets("rtsp://user@cam/1")) == text
    assert redact("hello guard-7", url_secrets("rtsp://guard-7:abc@cam/1")) == "hello ***"


@pytest.mark.parametrize("text", ["x" * 300_000, "rtsp://cam/" + "pass" * 75_000, "rtsp://" * 40_000, "?" * 300_000])
def test_a_long_text_takes_no_time(text: str) -> None:
    assert len(redact(text)) <= len(text)
