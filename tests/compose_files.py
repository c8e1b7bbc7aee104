"""Makes small material to compose from: coloured clips, tones and lines, with a labels file for each sense."""

from pathlib import Path
from typing import Final

import av
import numpy as np

from models.spec import MODALITIES
from pipeline.compose.reading import Sound

HEADER: Final = "path,start_seconds,end_seconds,label,group\n"
RATE: Final = 16_000
HUM_HZ: Final = 200
DOG_HZ: Final = 700
SIREN_HZ: Final = 2500
LEAK_HZ: Final = 5000
THREATS: Final = ("Hand it over or I will hurt you.", "Nobody moves or I shoot.", "I know where you live.")


def tone(hertz: float, seconds: float, level: float) -> Sound:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def write_clip(path: Path, red: int, blue: int, rate: int, size: tuple[int, int] = (96, 64)) -> None:
    """Two seconds of one colour, with a tone that must not be heard in what is composed of it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate, {"preset": "ultrafast"}, width=size[0], height=size[1])
        heard = container.add_stream("aac", RATE, layout="mono")
        for _ in range(2 * rate):
            image = np.full((size[1], size[0], 3), (red, 0, blue), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))
        frame = av.AudioFrame.from_ndarray(tone(LEAK_HZ, 2, 0.5)[None], "fltp", "mono")
        frame.sample_rate = RATE
        container.mux(heard.encode(frame))
        container.mux(heard.encode(None))


def write_sound(path: Path, samples: Sound) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", RATE, layout="mono", format="s16")
        frame = av.AudioFrame.from_ndarray(np.round(samples * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_material(folder: Path) -> dict[str, Path]:
    """Blue ordinary clips and red fights, a low hum, a dog and a high siren, weather and threats."""
    for name, red, rate in (("calm", 0, 10), ("calm2", 0, 25), ("fight", 255, 30)):
        write_clip(folder / f"{name}.mp4", red, 255 - red, rate)
    (folder / "broken.mp4").write_text("not a video")
    video = "calm.mp4,,,normal,yard\ncalm2.mp4,,,normal,yard\nfight.mp4,,,fight,yard\nbroken.mp4,,,fight,yard\n"
    silence = np.zeros(RATE // 2, np.float32)
    write_sound(folder / "hum.flac", tone(HUM_HZ, 1.5, 0.3))
    write_sound(folder / "dog.flac", tone(DOG_HZ, 1, 0.3))
    write_sound(folder / "siren.flac", np.concatenate([silence, tone(SIREN_HZ, 2, 0.3), silence]))
    write_sound(folder / "nothing.flac", silence)
    audio = "hum.flac,,,normal,hum\ndog.flac,,,normal,dog\nsiren.flac,,,siren,siren\nnothing.flac,,,normal,hum\n"
    spoken = [*(f"It is the {day}. day of rain." for day in range(1, 5)), *THREATS]
    stamps = [f"00:00:{10 + 5 * i:02},000 --> 00:00:{12 + 5 * i:02},000" for i in range(len(spoken))]
    (folder / "lines.srt").write_text("".join(f"{i}\n{stamps[i]}\n{line}\n\n" for i, line in enumerate(spoken)))
    kinds = ["normal,weather"] * 4 + ["threat,robbery"] * 3
    text = "".join(f"lines.srt,{10 + 5 * i},{12 + 5 * i},{kind}\n" for i, kind in enumerate(kinds))
    for name, rows in (("video", video), ("audio", audio), ("text", text)):
        (folder / f"{name}.csv").write_text(HEADER + rows)
    return {name: folder / f"{name}.csv" for name in MODALITIES}
