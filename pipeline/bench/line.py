"""The whole line on a file, against its sessions alone and against decoding alone."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from export.runtime import Runtime
from models.spec import MODALITIES
from pipeline.bench.setting import Figures, Setting, seconds_of
from pipeline.bench.watched import decode_rate, decoded, rate
from pipeline.config import Config
from pipeline.window import Window


def line(setting: Setting) -> Figures:
    """Windows a second of the line, of bare sessions over the same windows, and of decoding, in turns.

    Routing is off: both compute everything.
    """
    clip, spec = setting.clip(setting.scenes.busy), setting.runtime.spec
    setting.tell("line: a file")
    batches = _batches(decoded(clip, spec))
    num = sum(map(len, batches))
    found = setting.medians(
        {
            "watch": partial(rate, setting, clip, routed=False),
            "bare": lambda: num / seconds_of(partial(_run_bare, setting.runtime, batches)),
            "decode": partial(decode_rate, clip, spec),
        }
    )
    return {
        "windows_per_second": found,
        "num_windows": num,
        "efficiency": found["watch"] / found["bare"],
        "of_decode": found["watch"] / found["decode"],
    }


def _batches(found: Sequence[Window]) -> list[Sequence[Window]]:
    size = Config().engine.max_batch
    return [found[first : first + size] for first in range(0, len(found), size)]


def _run_bare(runtime: Runtime, batches: Sequence[Sequence[Window]]) -> None:
    """The four graphs on every batch, as the scorer calls them: fusion also without each modality."""
    spec = runtime.spec
    for batch in batches:
        passes = len(batch) * (1 + len(MODALITIES))
        runtime.video(np.stack([window.frames for window in batch if window.frames is not None]))
        runtime.audio(np.stack([window.samples for window in batch if window.samples is not None]))
        if texts := [window.text for window in batch if window.text]:
            runtime.text(texts)
        tokens = np.zeros((passes, spec.context, len(MODALITIES), spec.token_size), np.float32)
        runtime.fusion(tokens, np.ones(tokens.shape[:3], np.bool_))
