"""Against the script that one would write without Heed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import librosa
import torch
from torch import nn
from torchvision.models.video import r3d_18
from transformers import BertConfig, BertModel

from export.bundle import Bundle
from export.runtime import open_tokenizer, tokenize
from pipeline.bench.setting import Figures, Setting, seconds_of
from pipeline.bench.torch_networks import OwnScript
from pipeline.bench.watched import decoded, rate
from pipeline.window import Window

_MOST: Final = 4
"""Windows of each turn of a script; fewer in a short run."""
_SIZE: Final = 112
"""Pictures as torchvision's R3D-18 takes them."""
_MFCC: Final = 40


class NaiveScript:
    """R3D-18 as torchvision has it, librosa's MFCC and an LSTM, Hugging Face's BERT: one window at a time.

    Weights are random: they make nothing faster. It is given the windows that Heed cut, at its own size: decoding
    costs it nothing.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._video = r3d_18(weights=None, num_classes=256).eval()
        self._audio = nn.LSTM(_MFCC, 128, batch_first=True).eval()
        self._text = BertModel(BertConfig()).eval()
        self._head = nn.Linear(256 + 128 + 768, 1)
        self._rate = bundle.spec.sample_rate
        self._tokenizer = open_tokenizer(bundle.folder / "tokenizer.json", bundle.spec)

    @torch.inference_mode()
    def judge(self, window: Window) -> float:
        """The anomaly logit."""
        seen, heard, read = torch.zeros(1, 256), torch.zeros(1, 128), torch.zeros(1, 768)
        if window.frames is not None:
            clip = torch.from_numpy(window.frames).float() / 255
            seen = self._video((clip.permute(3, 0, 1, 2)[None] - 0.43) / 0.22)
        if window.samples is not None:
            mfcc = librosa.feature.mfcc(y=window.samples, sr=self._rate, n_mfcc=_MFCC)
            heard = self._audio(torch.from_numpy(mfcc.T)[None].float())[0][:, -1]
        if window.text:
            ids, mask = map(torch.from_numpy, tokenize(self._tokenizer, [window.text]))
            read = self._text(input_ids=ids, attention_mask=mask).pooler_output
        return float(self._head(torch.cat([seen, heard, read], dim=1)))


def naive(setting: Setting) -> Figures:
    """Windows a second of `watch` on a file against those scripts, in turns; busy footage and ordinary."""
    setting.tell("naive: making networks")
    bundle, spec, scenes = setting.runtime.bundle, setting.runtime.spec, setting.scenes
    script, own = NaiveScript(bundle), OwnScript(bundle)
    measures: dict[str, Callable[[], float]] = {}
    for name, scene in (("busy", scenes.busy), ("ordinary", scenes.ordinary)):
        clip = setting.clip(scene)
        large = _spread(decoded(clip, replace(spec, frame_size=_SIZE)), setting.seconds)
        measures |= {
            f"heed_{name}": partial(rate, setting, clip),
            f"script_{name}": partial(_rate, setting, script.judge, large),
            f"own_networks_{name}": partial(_rate, setting, own.judge, _spread(decoded(clip, spec), setting.seconds)),
        }
    setting.tell("naive: a file, in turns")
    found = setting.medians(measures)
    return {
        "windows_per_second": found,
        "speedup": found["heed_busy"] / found["script_busy"],
        "own_speedup": found["heed_busy"] / found["own_networks_busy"],
        "ordinary_speedup": found["heed_ordinary"] / found["script_ordinary"],
        "ordinary_own_speedup": found["heed_ordinary"] / found["own_networks_ordinary"],
    }


def _spread(found: Sequence[Window], seconds: float) -> Sequence[Window]:
    """Some of the windows, from all over the file."""
    num = min(_MOST, math.ceil(seconds / _MOST))
    return found[:: max(1, len(found) // num)][:num]


def _rate(setting: Setting, judge: Callable[[Window], float], found: Sequence[Window]) -> float:
    def judge_all() -> None:
        for window in found:
            setting.check()
            judge(window)

    return len(found) / seconds_of(judge_all)
