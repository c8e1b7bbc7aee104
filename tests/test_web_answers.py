"""What people said of events, as labels."""

import subprocess
import sys
from pathlib import Path

from conftest import BUNDLED, RedisServer, make_alert
from media_files import write_media

from alerts import keys
from alerts.alert import Evidence
from alerts.connect import from_url
from pipeline.labels import read_labels
from pipeline.web.answers import answered

HEED = str(Path(sys.executable).with_name("heed"))


def evidence_of(name: str) -> Evidence:
    return Evidence(clip=f"gate/{name}", snapshot=None)


def test_answers_become_a_labels_file_that_is_read(tmp_path: Path) -> None:
    clips = tmp_path / "evidence" / "gate"
    clips.mkdir(parents=True)
    for name in ("real.mp4", "false, alarm.mp4", "forgotten.mp4"):
        write_media(clips / name, 0.5)
    labels = tmp_path / "answers.csv"
    with RedisServer(BUNDLED, tmp_path) as redis:
        for identity, name in (("a", "real.mp4"), ("b", "false, alarm.mp4"), ("c", "removed.mp4"), ("d", "real.mp4")):
            alert = make_alert(1, id=identity, evidence=evidence_of(name))
            redis.client.xadd(keys.STREAM, {keys.FIELD: alert.to_json()})
        redis.client.xadd(keys.STREAM, {keys.FIELD: "no alert"})
        said = {"a": "true", "b": "false_alarm", "c": "true"}
        for identity, verdict in said.items():
            redis.client.hset(keys.ACKNOWLEDGED, identity, f'{{"verdict": "{verdict}"}}')
        kept = '{"verdict": "true", "source": "yard", "label": "siren", "clip": "gate/forgotten.mp4"}'
        redis.client.hset(keys.ACKNOWLEDGED, "e", kept)  # its alert is no longer in the stream
        redis.client.hset(keys.ACKNOWLEDGED, "f", "nonsense")
        redis.client.hset(keys.ACKNOWLEDGED, "g", kept.replace("forgotten", "../../secret"))
        command = [HEED, "labels", "--out", str(labels), "--evidence", str(tmp_path / "evidence"), "--redis", redis.url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == f"heed: {labels}: 3 clip(s); 2 answered event(s) have none\n"
    rows = {row.path.resolve().name: (row.label, row.group, row.is_whole) for row in read_labels(labels)}
    assert rows == {
        "real.mp4": ("gun_shot", "gate", True),
        "false, alarm.mp4": ("normal", "gate", True),
        "forgotten.mp4": ("siren", "yard", True),
    }


def test_without_answers_there_are_no_labels(tmp_path: Path) -> None:
    with RedisServer(BUNDLED, tmp_path) as redis, from_url(redis.url) as client:
        found = answered(client, tmp_path, tmp_path / "answers.csv")
    assert (found.rows, found.num_without_clip) == ([], 0)
