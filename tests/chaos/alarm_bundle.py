"""A bundle whose answers are known: a window is an anomaly when it is bright, loud, or has the word `alarm` in it.

The graphs are a few operators written by hand, so a window costs next to nothing, and whatever a test loses, it was
not the model that lost it.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from export.bundle import GRAPHS, NEEDED, Calibration, Manifest, file_sha256, write_manifest
from models.spec import MODALITIES, Spec

SPEC: Final = Spec(
    window_seconds=1.0,
    stride_seconds=0.5,
    num_frames=8,
    frame_size=16,
    num_tokens=8,
    context=2,
    token_size=1,
    labels=("bright", "loud", "said"),
)
"""Short windows: an event is confirmed 1.5 s after it has begun."""
BRIGHT: Final = 0.5
"""Share of white, in any picture of a window, from which it is an anomaly."""
LOUD: Final = 0.5
"""Amplitude, of any sample of a window, from which it is an anomaly."""
WORD: Final = "alarm"
_STEEPNESS: Final = 40.0
"""Logits a whole step of evidence makes: probabilities are all but 0 and 1."""
_FLOAT, _INT, _BOOL, _UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8


def write_alarm_bundle(folder: Path, spec: Spec = SPEC) -> Path:
    """Writes the bundle.

    Args:
        folder: is made.
        spec: its windows; its labels must be three, for seen, heard and read.
    """
    folder.mkdir(parents=True)
    for name, graph in zip(GRAPHS, (_video(spec), _audio(spec), _text(), _fusion(spec)), strict=True):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, str(folder / f"{name}.onnx"))
    words = Tokenizer(WordLevel({"[UNK]": 0, WORD: 1}, unk_token="[UNK]"))  # noqa: S106 - a token of text
    words.pre_tokenizer = Whitespace()
    words.save(str(folder / "tokenizer.json"))
    line = (1.0, 0.0)
    manifest = Manifest(
        name="alarm",
        spec=spec.to_json(),
        files={name: file_sha256(folder / name) for name in NEEDED},
        threshold=0.5,
        calibration=Calibration(anomaly=line, modalities=dict.fromkeys(MODALITIES, line)),
        data=(),
        metrics={},
        training={},
    )
    write_manifest(folder, manifest)
    return folder


def _video(spec: Spec) -> Any:
    """Pictures (B, T, H, W, 3) to the brightness of the brightest, 0 to 1: (B, 1)."""
    nodes = [
        helper.make_node("Cast", ["frames"], ["pixels"], to=_FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["brightness"], axes=[2, 3, 4], keepdims=0),
        helper.make_node("ReduceMax", ["brightness"], ["brightest"], axes=[1], keepdims=1),
        helper.make_node("Div", ["brightest", "full"], ["token"]),
    ]
    size = spec.frame_size
    frames = _value("frames", _UINT8, ["B", spec.num_frames, size, size, 3])
    full = np.array(255 * 2 * BRIGHT, np.float32)
    return _graph("video", nodes, [frames], [_value("token", _FLOAT, ["B", 1])], full=full)


def _audio(spec: Spec) -> Any:
    """Samples (B, S) to their peak, 0 to 1: (B, 1)."""
    nodes = [
        helper.make_node("Abs", ["samples"], ["amplitude"]),
        helper.make_node("ReduceMax", ["amplitude"], ["peak"], axes=[1], keepdims=1),
        helper.make_node("Div", ["peak", "full"], ["token"]),
    ]
    samples = _value("samples", _FLOAT, ["B", spec.num_samples])
    full = np.array(2 * LOUD, np.float32)
    return _graph("audio", nodes, [samples], [_value("token", _FLOAT, ["B", 1])], full=full)


def _text() -> Any:
    """Word ids and mask (B, L) to 1 where the word is among them, else 0: (B, 1)."""
    nodes = [
        helper.make_node("Mul", ["ids", "mask"], ["said"]),
        helper.make_node("Equal", ["said", "word"], ["found"]),
        helper.make_node("Cast", ["found"], ["finds"], to=_FLOAT),
        helper.make_node("ReduceMax", ["finds"], ["token"], axes=[1], keepdims=1),
    ]
    inputs = [_value("ids", _INT, ["B", "L"]), _value("mask", _INT, ["B", "L"])]
    return _graph("text", nodes, inputs, [_value("token", _FLOAT, ["B", 1])], word=np.array(1, np.int64))


def _fusion(spec: Spec) -> Any:
    """Tokens (B, K, M, 1) and presence (B, K, M) to logits of the last window: the strongest of its senses."""
    nodes = [
        helper.make_node("Gather", ["tokens", "last"], ["now"], axis=1),  # (B, M, 1)
        helper.make_node("Squeeze", ["now", "depth"], ["values"]),  # (B, M)
        helper.make_node("Gather", ["present", "last"], ["there"], axis=1),
        helper.make_node("Cast", ["there"], ["weights"], to=_FLOAT),
        helper.make_node("Mul", ["values", "weights"], ["evidence"]),
        helper.make_node("Sub", ["evidence", "middle"], ["centred"]),
        helper.make_node("Mul", ["centred", "steepness"], ["modalities"]),
        helper.make_node("ReduceMax", ["modalities"], ["anomaly"], axes=[1], keepdims=0),
        helper.make_node("Identity", ["modalities"], ["classes"]),
    ]
    count = len(MODALITIES)
    inputs = [
        _value("tokens", _FLOAT, ["B", spec.context, count, spec.token_size]),
        _value("present", _BOOL, ["B", spec.context, count]),
    ]
    outputs = [_value("anomaly", _FLOAT, ["B"])]
    outputs += [_value(name, _FLOAT, ["B", count]) for name in ("classes", "modalities")]
    constants = {
        "last": np.array(spec.context - 1, np.int64),
        "depth": np.array([2], np.int64),
        "middle": np.array(0.5, np.float32),
        "steepness": np.array(_STEEPNESS, np.float32),
    }
    return _graph("fusion", nodes, inputs, outputs, **constants)


def _value(name: str, kind: int, shape: list[int | str]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def _graph(name: str, nodes: list[Any], inputs: list[Any], outputs: list[Any], **constants: Any) -> Any:
    held = [numpy_helper.from_array(value, constant) for constant, value in constants.items()]
    return helper.make_graph(nodes, name, inputs, outputs, initializer=held)
