"""Evidence of events of real files and a real camera: what is kept is what was sent, whole, and safely named."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from conftest import wait_until
from media_files import write_media
from rtsp_server import RtspServer
from watching import Watching, camera_process, config

from alerts.alert import Alert
from export.runtime import Runtime
from pipeline.config import EvidenceConfig
from pipeline.item import Cue


def packets(path: Path) -> dict[str, list[bytes]]:
    """The data of every packet, by kind."""
    found: dict[str, list[bytes]] = {}
    with av.open(str(path), "r") as container:
        for packet in container.demux():
            if packet.size:
                found.setdefault(packet.stream.type, []).append(bytes(packet))
    return found


def seconds_of(path: Path) -> float:
    with av.open(str(path), "r") as container:
        assert container.duration is not None
        return container.duration / av.time_base


def picture(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    data = cv2.imread(str(path))
    assert data is not None
    return data.astype(np.uint8)


def watched(path: str | Path, folder: Path, runtime: Runtime, name: str = "gate") -> list[Alert]:
    """The alerts of a source that is an anomaly from its beginning to its end."""
    return Watching(config((name, path)), runtime, evidence=folder).run().alerts


def clip_of(alert: Alert, folder: Path) -> Path:
    assert alert.evidence is not None
    assert alert.evidence.clip is not None
    return folder / alert.evidence.clip


@pytest.mark.parametrize(("suffix", "cues"), [("mp4", ()), ("mkv", (Cue(0.5, 2.5, "hands up"),))])
def test_a_clip_has_the_packets_of_its_source(
    suffix: str, cues: tuple[Cue, ...], tmp_path: Path, runtime: Runtime
) -> None:
    source = write_media(tmp_path / f"source.{suffix}", 4.0, cues=cues, num_b_frames=2)
    begin, *_, end = watched(source, tmp_path / "evidence", runtime)
    assert begin.evidence is None
    clip = clip_of(end, tmp_path / "evidence")
    assert clip.suffix == f".{suffix}"
    ours, theirs = packets(clip), packets(source)
    assert ours.pop("audio") == theirs.pop("audio")[1:]  # the first is before the first picture
    assert ours == theirs
    assert seconds_of(clip) == pytest.approx(seconds_of(source), abs=0.15)


def test_the_snapshot_and_the_strip_show_the_event(tmp_path: Path, runtime: Runtime) -> None:
    source = write_media(tmp_path / "source.mp4", 4.0, levels=[200] * 100, size=(320, 240))
    *_, end = watched(source, tmp_path / "evidence", runtime)
    assert end.evidence is not None
    assert end.evidence.snapshot is not None
    path = tmp_path / "evidence" / end.evidence.snapshot
    shown = picture(path)
    assert shown.shape[1] == 320
    assert shown[:240].mean() == pytest.approx(200, abs=12)
    assert shown[242:].max() > 200  # score and time
    assert shown[242:].mean() < 80
    strip = picture(path.with_suffix(".strip.jpg"))
    assert strip.shape == (160, 6 * 213, 3)
    assert path.stat().st_mode & 0o077 == 0


def test_sound_alone_has_a_clip_and_no_snapshot(tmp_path: Path, runtime: Runtime) -> None:
    source = write_media(tmp_path / "source.mp4", 4.0, has_video=False)
    *_, end = watched(source, tmp_path / "evidence", runtime)
    assert end.evidence is not None
    assert end.evidence.snapshot is None
    assert packets(clip_of(end, tmp_path / "evidence")) == packets(source)


def test_a_camera_that_goes_away_has_a_clip_as_far_as_it_came(tmp_path: Path, runtime: Runtime) -> None:
    source = write_media(tmp_path / "source.mp4", 10.0)
    with (
        RtspServer(source) as server,
        Watching(config(("gate", server.url)), runtime, evidence=tmp_path / "evidence") as seen,
    ):
        seen.goes_on.set()
        wait_until(lambda: len(seen.windows) >= 3, 60)
        server.stop()
        wait_until(lambda: seen.alerts[-1].kind == "end", 60)
    clip = clip_of(seen.alerts[-1], tmp_path / "evidence")
    assert clip.suffix == ".mp4"
    with av.open(str(clip), "r") as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        assert len(list(container.decode(video=0))) >= 3 * 25
    units = {unit for packet in packets(source)["video"] for unit in nal_units(packet)}
    assert all(unit in units for packet in packets(clip)["video"] for unit in nal_units(packet))


def nal_units(packet: bytes) -> Iterator[bytes]:
    """Of H.264 as MP4 has it, but for those that describe the stream."""
    at = 0
    while at < len(packet):
        length = int.from_bytes(packet[at : at + 4], "big")
        if packet[at + 4] & 0x1F in {1, 5}:
            yield packet[at + 4 : at + 4 + length]
        at += 4 + length


def test_a_camera_that_is_killed_costs_its_clip_and_what_it_left_is_deleted(tmp_path: Path, runtime: Runtime) -> None:
    folder = tmp_path / "evidence" / "gate"
    source = write_media(tmp_path / "source.mp4", 60.0, has_audio=False)
    with Watching(config(("gate", source), pace="live"), runtime, evidence=tmp_path / "evidence") as seen:
        seen.goes_on.set()
        wait_until(lambda: list(folder.glob(".*.mp4")), 60)
        left = set(folder.glob(".*.mp4"))
        os.kill(camera_process("gate"), signal.SIGKILL)
        wait_until(lambda: any(alert.kind == "end" for alert in seen.alerts), 60)
        wait_until(lambda: not left & set(folder.iterdir()), 60)
    end = next(alert for alert in seen.alerts if alert.kind == "end")
    assert end.evidence is None or end.evidence.clip is None


def test_an_update_names_the_snapshot_before_there_is_a_clip(tmp_path: Path, runtime: Runtime) -> None:
    source = write_media(tmp_path / "source.mp4", 60.0, has_audio=False)
    with Watching(config(("gate", source), pace="live"), runtime, evidence=tmp_path / "evidence") as seen:
        seen.goes_on.set()
        wait_until(lambda: any(alert.evidence for alert in seen.alerts), 60)
    shown = next(alert for alert in seen.alerts if alert.evidence)
    assert shown.kind == "update"
    assert shown.evidence is not None
    assert shown.evidence.clip is None
    assert shown.evidence.snapshot == f"gate/{shown.id}.jpg"
    assert (tmp_path / "evidence" / shown.evidence.snapshot).exists()


def test_without_evidence_nothing_is_kept(tmp_path: Path, runtime: Runtime) -> None:
    source = write_media(tmp_path / "source.mp4", 4.0)
    off = config(("gate", source)).model_copy(update={"evidence": EvidenceConfig(enabled=False)})
    seen = Watching(off, runtime, evidence=tmp_path / "evidence").run()
    assert [alert.kind for alert in seen.alerts] == ["begin", "end"]
    assert all(alert.evidence is None for alert in seen.alerts)
    assert not (tmp_path / "evidence").exists()


def test_a_source_may_have_any_name(tmp_path: Path, runtime: Runtime) -> None:
    source = write_media(tmp_path / "source.mp4", 4.0)
    *_, end = watched(source, tmp_path / "state" / "evidence", runtime, name="..")
    assert clip_of(end, tmp_path / "state" / "evidence").is_relative_to(tmp_path / "state" / "evidence")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.mp4", "state"]
