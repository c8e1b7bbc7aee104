"""Words that others write to Redis, read with the windows of their time."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chaos.alarm_bundle import SPEC, write_alarm_bundle
from conftest import RedisServer, wait_until, written
from media_files import write_media
from rtsp_server import RtspServer

from pipeline.feed import SHOWN_SECONDS, Feed, cue
from pipeline.window import LONGEST_TEXT, Window

HEED = str(Path(sys.executable).with_name("heed"))
NOW = datetime(2026, 11, 22, 7, 15, tzinfo=UTC)
KEY = "heed:text:gate"
PAGE = (Path(__file__).parent.parent / "docs" / "words.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```(python|sh)\n(.*?)```", PAGE, re.DOTALL))


def window(start: datetime, text: str | None = None, source: str = "gate") -> Window:
    """Two seconds from a moment on."""
    return Window(
        source=source,
        session=0,
        index=0,
        start_seconds=0.0,
        end_seconds=2.0,
        origin=start,
        frames=np.zeros((16, 8, 8, 3), np.uint8),
        samples=None,
        text=text,
        closed_at=time.monotonic(),
    )


@pytest.fixture
def feed(redis_server: RedisServer) -> Iterator[Feed]:
    redis_server.client.xadd(KEY, {"text": "old news"})
    with Feed(redis_server.client, ["gate", "yard"]) as feed:
        yield feed


def say(server: RedisServer, feed: Feed, **fields: Any) -> None:
    """Writes, and waits until it has been read."""
    before = words(feed)
    server.client.xadd(KEY, fields)
    wait_until(lambda: words(feed) != before)


def words(feed: Feed, start: datetime | None = None) -> str | None:
    """What a window from a moment on is given to read."""
    entry = feed.added(window(start or datetime.now(UTC)))
    assert isinstance(entry, Window)
    return entry.text


def test_words_are_read_in_the_windows_of_their_time(redis_server: RedisServer, feed: Feed) -> None:
    assert words(feed) is None
    say(redis_server, feed, text="  drop the\nweapon ")
    assert words(feed) == "drop the weapon"
    assert words(feed, datetime.now(UTC) - timedelta(seconds=60)) is None
    assert words(feed, datetime.now(UTC) + timedelta(seconds=60)) is None


def test_words_stand_below_the_subtitles_and_only_where_they_belong(redis_server: RedisServer, feed: Feed) -> None:
    say(redis_server, feed, text="hands up")
    own = feed.added(window(datetime.now(UTC), "good evening"))
    assert isinstance(own, Window)
    assert own.text == "good evening\nhands up"
    other = window(datetime.now(UTC), None, "yard")
    assert feed.added(other) is other


def test_the_stream_is_kept_short_and_the_text_of_a_window_too(redis_server: RedisServer, feed: Feed) -> None:
    pipeline = redis_server.client.pipeline()
    for number in range(3000):
        pipeline.xadd(KEY, {"text": str(number)})
    pipeline.execute()
    say(redis_server, feed, text="x" * 1_000_000)
    wait_until(lambda: redis_server.client.xlen(KEY) < 1200)
    assert len(words(feed) or "") <= LONGEST_TEXT


def test_a_redis_that_comes_back_is_read_again(redis_server: RedisServer, feed: Feed) -> None:
    say(redis_server, feed, text="before")
    with redis_server.paused():
        assert "before" in (words(feed) or "")
    say(redis_server, feed, text="after")
    assert "after" in (words(feed) or "")


def test_the_example_in_python_is_read(redis_server: RedisServer, feed: Feed) -> None:
    code = EXAMPLES["python"].replace("redis.Redis()", f"redis.Redis.from_url({redis_server.url!r})")
    subprocess.run([sys.executable, "-c", code], check=True)
    wait_until(lambda: words(feed) == "Give me your money!")


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="no redis-cli")
def test_the_example_in_a_shell_is_read(redis_server: RedisServer, feed: Feed) -> None:
    place = redis_server.url.removeprefix("unix://")
    code = EXAMPLES["sh"].replace("redis-cli", f"redis-cli -s {place}")
    subprocess.run(["sh", "-c", code], check=True, stdout=subprocess.DEVNULL)
    wait_until(lambda: words(feed) == "Give me your money!")


def test_words_without_a_time_are_said_now() -> None:
    said = cue({"text": "hi"}, NOW)
    assert said is not None
    assert (said.start, said.end) == (NOW, NOW + timedelta(seconds=SHOWN_SECONDS))


def test_words_that_come_late_are_read_when_they_come() -> None:
    start = NOW - timedelta(seconds=8)
    said = cue({"text": "hi", "start": str(start.timestamp()), "end": str(start.timestamp() + 3)}, NOW)
    assert said is not None
    assert (said.start, said.end) == (start, NOW + timedelta(seconds=SHOWN_SECONDS))


@pytest.mark.parametrize("at", ["2026-11-22T07:14:50Z", "2026-11-22T07:14:50", "2026-11-22T08:14:50+01:00"])
def test_a_time_may_be_written_as_utc(at: str) -> None:
    said = cue({"text": "hi", "at": at}, NOW)
    assert said is not None
    assert said.start == NOW - timedelta(seconds=10)


def test_what_never_ends_is_read_for_a_minute() -> None:
    said = cue({"text": "hi", "end": "9e9"}, NOW)
    assert said is not None
    assert said.end == NOW + timedelta(seconds=60)


@pytest.mark.parametrize("text", ["", " \n ", None])
def test_no_words_are_none(text: str | None) -> None:
    assert cue({} if text is None else {"text": text}, NOW) is None


@pytest.mark.parametrize("time", ["soon", "nan", "inf", "1e99", ""])
def test_a_wrong_time_is_now(redis_server: RedisServer, feed: Feed, time: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        cue({"text": "hi", "start": time}, NOW)
    say(redis_server, feed, text="hi", start=time)
    assert "hi" in (words(feed) or "")


def test_words_for_a_camera_raise_an_alert_that_says_they_were_read(redis_server: RedisServer, tmp_path: Path) -> None:
    clip = write_media(tmp_path / "clip.mp4", has_audio=False, levels=[0] * 75)
    bundle = write_alarm_bundle(tmp_path / "bundle", SPEC)
    with RtspServer(clip) as server:
        config = written(
            tmp_path / "heed.toml",
            f'[[source]]\nname = "gate"\nurl = "{server.url}"\n[redis]\nurl = "{redis_server.url}"\n',
        )
        command = [HEED, "watch", "--config", str(config), "--bundle", str(bundle), "--state", str(tmp_path / "state")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as watching:
            try:
                wait_until(lambda: redis_server.client.hget("heed:state:gate", "state") == b"normal", 60)
                redis_server.client.xadd(KEY, {"text": "an alarm"})
                wait_until(lambda: redis_server.client.xlen("heed:alerts"), 60)
            finally:
                watching.terminate()
                watching.wait(20)
    begin = json.loads(redis_server.client.xrange("heed:alerts")[0][1][b"alert"])
    assert (begin["kind"], begin["source"], begin["label"]) == ("begin", "gate", "said")
    assert "alarm" in begin["text"]
    assert begin["modalities"]["text"]["score"] > begin["threshold"]
    assert begin["modalities"]["video"]["score"] < begin["threshold"]
