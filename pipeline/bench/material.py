"""What everything is measured on: a busy street and an ordinary one, drawn once and repeated as long as is needed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.matroska import X264, write_matroska
from pipeline.scene.picture import picture
from pipeline.scene.render import soundtrack, staged_of, subtitles
from pipeline.scene.script import ORDINARY_LINES, Act, Scene
from pipeline.scene.sound import RATE
from pipeline.scene.stage import Stage

GROUP_SECONDS: Final = 3.2
"""Between two key frames; whole pictures and whole AAC frames, so that sound and picture repeat without a gap."""
MOST_GROUPS: Final = 4
"""Of a scene; a short run draws shorter ones."""
_FPS: Final = 15
_CAMERA: Final = X264 | {"bf": "0", "g": str(round(GROUP_SECONDS * _FPS)), "sc_threshold": "0"}
"""As cameras encode: no picture waits for a later one."""
_EDGE_SECONDS: Final = 0.001
"""Time stamps of Matroska are rounded to it."""
_MOVING: Final = 0.25
"""Share of the ordinary scene in which anybody passes; else nothing moves but the sensor's noise."""

Drawn = Callable[[float], None]
"""Told the share that is drawn."""


@dataclass(frozen=True, slots=True)
class Scenes:
    """Files of 640x360 at 15 pictures a second, H.264 and AAC, in which nothing is wrong."""

    busy: Path
    """People who meet, dance and speak, all the time, with subtitles."""
    ordinary: Path
    """A street in which now and then somebody passes."""
    seconds: float
    """Length of each."""


def draw(folder: Path, drawn: Drawn, num_groups: int = MOST_GROUPS) -> Scenes:
    """Draws both scenes into a folder."""
    seconds = num_groups * GROUP_SECONDS
    lines = (
        Act(share * seconds, share * seconds + 1.5, text=text, show="line")
        for share, text in zip((0.05, 0.3, 0.55, 0.8), ORDINARY_LINES, strict=False)
    )
    acts = (Act(0, 0.6 * seconds, show="talk"), Act(0, seconds, show="dance"), Act(0.4 * seconds, seconds, show="ball"))
    busy, ordinary = Scene(8, seconds, (*acts, *lines)), Scene(3, seconds, ())
    staged, calm = staged_of(busy), _calm(staged_of(ordinary))
    scenes = Scenes(folder / "busy.mkv", folder / "ordinary.mkv", seconds)
    empty = replace(calm, figures=[], cars=[], dogs=[])
    num_moving = round(_MOVING * len(calm.times))
    shown = [calm] * num_moving + [empty] * (len(calm.times) - num_moving)
    _write(busy, scenes.busy, [staged] * len(staged.times), soundtrack(busy, staged), lambda share: drawn(share / 2))
    _write(ordinary, scenes.ordinary, shown, soundtrack(ordinary, calm), lambda share: drawn((1 + share) / 2))
    return scenes


def _calm(stage: Stage) -> Stage:
    """Seen by a camera on a wall: no wind, and no car after the moving part."""
    end = _MOVING * float(stage.times[-1])
    cars = [car for car in stage.cars if car.start_seconds + car.seconds < end]
    return replace(stage, trees=[], cars=cars, shake=np.zeros_like(stage.shake))


def _write(scene: Scene, path: Path, shown: list[Stage], sound: NDArray[np.float32], drawn: Drawn) -> None:
    def pictures() -> Iterator[NDArray[np.uint8]]:
        for index, stage in enumerate(shown):
            yield picture(stage, index)
            drawn((index + 1) / len(shown))

    write_matroska(
        path,
        len(shown),
        _FPS,
        pictures=pictures(),
        size=(scene.width, scene.height),
        x264=_CAMERA,
        sound=sound,
        sample_rate=RATE,
        subtitles=subtitles(scene),
    )


def repeated(scene: Path, length: float, path: Path, seconds: float, first_group: int = 0) -> Path:
    """Writes a scene again and again, without coding it anew.

    Args:
        scene: the file.
        length: of it, in seconds: whole groups.
        path: the file to write.
        seconds: how long it is to be at least.
        first_group: where in the scene it begins.
    """
    with av.open(str(path), "w") as output:
        for begin in count(-first_group * GROUP_SECONDS, length):
            if begin >= seconds:
                return path
            with av.open(str(scene)) as source:
                for stream in source.streams if not output.streams else ():
                    output.add_stream_from_template(stream)
                for packet in source.demux():
                    if packet.pts is None or not 0 <= packet.pts * packet.time_base < length - _EDGE_SECONDS:
                        continue  # the encoder's first sound, which is none, and what comes after the last picture
                    packet.pts = packet.dts = packet.pts + round(begin / packet.time_base)
                    if packet.pts < 0:
                        continue
                    packet.stream = output.streams[packet.stream.index]
                    output.mux(packet)
    return path
