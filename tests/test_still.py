"""Stills for people, of real files; and their way to Redis with what was thought of the window."""

from pathlib import Path

import av
import cv2
import numpy as np
from conftest import RedisServer, wait_until
from media_files import write_media

from alerts import keys
from alerts.connect import from_url
from alerts.redis_stream import Publisher
from models.spec import Spec
from pipeline.media import open_media
from pipeline.still import LONGER_SIDE, Stills

SCORES: dict[str, str | float] = {
    "at": "2026-11-22T07:15:01.250Z",
    "score": 0.9,
    "threshold": 0.5,
    "video": 0.9,
    "audio": "",
    "text": "",
}


def gradient(width: int, height: int) -> av.VideoFrame:
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0] = np.linspace(0, 255, width)
    return av.VideoFrame.from_ndarray(image, "rgb24")


def test_a_still_is_the_picture_small_and_of_its_shape() -> None:
    for width, height, small in [(1920, 1080, (270, 480)), (300, 1200, (480, 120)), (64, 48, (48, 64))]:
        still = Stills(0).take(gradient(width, height))
        assert still is not None
        image = cv2.imdecode(np.frombuffer(still, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape[:2] == small
        assert max(image.shape) <= LONGER_SIDE
        expected = np.linspace(0, 255, image.shape[1])
        assert np.abs(image[:, :, 2].mean(axis=0) - expected).max() < 12  # BGR


def test_a_still_is_taken_only_when_the_last_one_is_old_enough() -> None:
    stills = Stills(3600)
    assert stills.take(gradient(64, 48)) is not None
    assert stills.take(gradient(64, 48)) is None


def test_a_source_gives_stills_to_who_asks_for_them_only(tmp_path: Path) -> None:
    path = write_media(tmp_path / "clip.mp4", 2.0)
    for every_seconds, expected in [(None, 0), (0.0, 0), (3600.0, 1)]:
        with open_media(str(path), Spec()) as media:
            if every_seconds is not None:
                media.take_stills(every_seconds)
            stills = [still for item in media.items() if (still := getattr(item, "still", None))]
        assert len(stills) == expected
        assert all(still.startswith(b"\xff\xd8") for still in stills)


def test_pictures_and_scores_come_to_redis_and_expire(redis_server: RedisServer, tmp_path: Path) -> None:
    with from_url(redis_server.url) as client, Publisher(client, tmp_path) as publish:
        publish.show("gate", SCORES, b"\xff\xd8picture")
        publish.show("gate", SCORES, None)
        wait_until(lambda: redis_server.client.xlen(keys.SCORES + "gate") == 2)
        assert redis_server.client.get(keys.PICTURE + "gate") == b"\xff\xd8picture"
        assert 0 < redis_server.client.ttl(keys.PICTURE + "gate") <= keys.PICTURE_SECONDS
        assert 0 < redis_server.client.ttl(keys.SCORES + "gate") <= keys.SCORES_SECONDS
        [(_, entry), _] = redis_server.client.xrange(keys.SCORES + "gate")
    assert entry[b"score"] == b"0.9"
    assert entry[b"audio"] == b""


def test_a_user_who_may_not_write_pictures_still_tells_states(redis_server: RedisServer, tmp_path: Path) -> None:
    rights = ["~heed:*", "resetchannels", "&heed:*", "+@all", "-set", "-xadd"]
    redis_server.client.execute_command("ACL", "SETUSER", "teller", "on", ">secret", *rights)
    url = redis_server.url.replace("unix://", "unix://teller:secret@")
    with from_url(url) as client, Publisher(client, tmp_path) as publish:
        publish.show("gate", SCORES, b"\xff\xd8picture")
        publish.announce("gate", {"status": "running"})
        wait_until(lambda: redis_server.client.exists(keys.STATE + "gate"))
    assert not redis_server.client.exists(keys.PICTURE + "gate")
