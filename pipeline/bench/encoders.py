"""The encoders alone: torch, and every graph of the bundle on every provider that runs here, in turns."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.bundle import REFERENCE
from export.choice import at_hand
from export.runtime import Runtime, open_tokenizer, tokenize
from models.errors import WeightsError
from models.spec import MODALITIES
from pipeline.bench.macs import count_macs
from pipeline.bench.setting import Figures, Setting, seconds_of
from pipeline.bench.watched import decoded
from pipeline.config import Config

TRAINING: Final = ("torch", "torchvision", "transformers", "librosa")
"""What torch's figures need: `heed[train]`."""
NO_TRAINING: Final = "torch is not installed; pip install 'heed[train]'"
_GEMM: Final = 1024
"""Rows and columns of the matrices whose product is the limit."""

Inputs = Mapping[str, tuple[NDArray[Any], ...]]
"""What each encoder takes, of a batch of windows."""
Call = Callable[[], object]


def encoders(setting: Setting) -> Figures:
    """Milliseconds a clip, clips a second, and the share of what the machine's fp32 matrix product does."""
    runtime, batch = setting.runtime, Config().engine.max_batch
    found = decoded(setting.clip(setting.scenes.busy), runtime.spec)
    texts = [window.text for window in found if window.text][:batch]
    tokenizer = open_tokenizer(runtime.bundle.folder / "tokenizer.json", runtime.spec)
    inputs: Inputs = {
        "video": (np.stack([window.frames for window in found if window.frames is not None][:batch]),),
        "audio": (np.stack([window.samples for window in found if window.samples is not None][:batch]),),
        "text": tokenize(tokenizer, texts),
    }
    calls = _calls(setting, inputs, texts)
    figures = {name: _encoder(setting, name, inputs[name], calls[name]) for name in MODALITIES}
    fp32, int8, openvino = (_ms(figures["video"]["engines"], name) for name in ("cpu fp32", "cpu int8", "openvino"))
    if int8 is None:
        setting.reasons["encoders.int8_over_fp32"] = "the bundle has no int8 graph of the video network"
    if openvino is None:
        setting.reasons["encoders.openvino_over_fp32"] = "OpenVINO does not run here; pip install 'heed[openvino]'"
    return {
        "batch": batch,
        "int8_over_fp32": fp32 / int8 if fp32 and int8 else None,
        "openvino_over_fp32": fp32 / openvino if fp32 and openvino else None,
        **figures,
    }


def _encoder(setting: Setting, name: str, inputs: Sequence[NDArray[Any]], calls: Mapping[str, Call]) -> Figures:
    setting.tell(f"encoders: {name}")
    bundle, batch = setting.runtime.bundle, len(inputs[0])
    macs = count_macs(bundle.graph(name, REFERENCE), inputs, setting.folder) / batch
    matrix = np.ones((_GEMM, _GEMM), np.float32)
    measures = {key: partial(seconds_of, call) for key, call in {**calls, "gemm": lambda: matrix @ matrix}.items()}
    seconds = setting.medians(measures)
    limit = _GEMM**3 / seconds.pop("gemm")  # multiply-accumulates a second
    engines = {
        key: {
            "ms": 1000 * taken / batch,
            "clips_per_second": batch / taken,
            "of_gemm": macs * batch / taken / limit,
        }
        for key, taken in seconds.items()
    }
    return {"million_macs": macs / 1e6, "gemm_gmacs_per_second": limit / 1e9, "engines": engines}


def _calls(setting: Setting, inputs: Inputs, texts: Sequence[str]) -> dict[str, dict[str, Call]]:
    """What is to be timed, of each network: `torch fp32`, and as `cpu int8` every graph on every provider."""
    bundle = setting.runtime.bundle
    calls: dict[str, dict[str, Call]] = {name: {} for name in MODALITIES}
    if all(map(find_spec, TRAINING)):
        try:
            calls = _torch_calls(setting, inputs)
        except (KeyError, WeightsError) as error:
            setting.reasons["encoders.torch"] = f"the bundle's networks cannot be made in torch: {error}"
    else:
        setting.reasons["encoders.torch"] = NO_TRAINING
    for provider, precision in at_hand(bundle):
        runtime = Runtime(bundle, provider, precision=precision)
        runs: dict[str, Call] = {
            "video": partial(runtime.video, *inputs["video"]),
            "audio": partial(runtime.audio, *inputs["audio"]),
            "text": partial(runtime.text, texts),
        }
        for name, run in runs.items():
            if precision == REFERENCE or bundle.graph(name, precision) != bundle.graph(name, REFERENCE):
                calls[name][f"{provider} {precision}"] = run
    return calls


def _torch_calls(setting: Setting, inputs: Inputs) -> dict[str, dict[str, Call]]:
    import torch

    from pipeline.bench.torch_networks import own_network

    network = own_network(setting.runtime.bundle)

    def run(name: str) -> None:
        with torch.inference_mode():
            getattr(network, name)(*map(torch.from_numpy, inputs[name]))

    return {name: {"torch fp32": partial(run, name)} for name in MODALITIES}


def _ms(engines: Mapping[str, Mapping[str, float]], name: str) -> float | None:
    """Of the fastest whose name begins so."""
    return min((each["ms"] for key, each in engines.items() if key.startswith(name)), default=None)
