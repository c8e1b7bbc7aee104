"""torch to ONNX: the four graphs, their weights stored in half precision and computed in single."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.network import Network
from models.spec import MODALITIES, Spec

OPSET = 20
_SMALLEST_HALVED = 4096
"""Weights of fewer numbers stay in single precision: they cost nothing."""


def write_graphs(network: Network, folder: Path) -> None:
    """Writes `video.onnx`, `audio.onnx`, `text.onnx` and `fusion.onnx`.

    Encoders' weights are stored as float16 (a megabyte of parameters then takes two) and cast when a session opens;
    all arithmetic is float32.
    """
    network.eval()
    batch = torch.export.Dim("batch", min=1, max=1024)
    length = torch.export.Dim("length", min=1, max=network.spec.num_tokens)
    for name, example in examples(network.spec).items():
        axes = tuple({0: batch, 1: length} if name == "text" else {0: batch} for _ in example)
        outputs = ["anomaly", "classes", "modalities"] if name == "fusion" else ["token"]
        model = _graph(getattr(network, name), example, axes, outputs)
        if name in {"video", "text"}:
            halve_weights(model)
        onnx.save(model, str(folder / f"{name}.onnx"))


def examples(spec: Spec) -> dict[str, tuple[Tensor, ...]]:
    """Inputs of each network with a batch of 2: a batch of 1 would be frozen into the graph."""
    frames = torch.zeros(2, spec.num_frames, spec.frame_size, spec.frame_size, 3, dtype=torch.uint8)
    words = torch.ones(2, 9, dtype=torch.int64)
    tokens = torch.zeros(2, spec.context, len(MODALITIES), spec.token_size)
    return {
        "video": (frames,),
        "audio": (torch.zeros(2, spec.num_samples),),
        "text": (words, words.clone()),
        "fusion": (tokens, torch.ones(tokens.shape[:3], dtype=torch.bool)),
    }


def halve_weights(model: Any) -> None:
    """Stores a graph's large float32 weights as float16, each behind a cast that the session folds away."""
    casts = []
    for weight in list(model.graph.initializer):
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < _SMALLEST_HALVED:
            continue
        halved = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{weight.name}.half")
        casts.append(helper.make_node("Cast", [halved.name], [weight.name], to=TensorProto.FLOAT))
        model.graph.initializer.remove(weight)
        model.graph.initializer.append(halved)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _graph(network: nn.Module, example: tuple[Tensor, ...], axes: tuple[Any, ...], outputs: list[str]) -> Any:
    with _quiet():
        program = torch.onnx.export(
            network, example, dynamic_shapes=axes, output_names=outputs, opset_version=OPSET, dynamo=True, verbose=False
        )
    model = program.model_proto if program is not None else onnx.ModelProto()
    strip_notes(model)
    onnx.checker.check_model(model)
    return model


def strip_notes(model: Any) -> None:
    """Takes out the exporter's notes: they name the source files of the machine that exported."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.value_info, *model.graph.input):
        del part.metadata_props[:]
        part.doc_string = ""
    for part in (*model.graph.output, *model.functions):
        del part.metadata_props[:]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter talks of its own steps on every channel there is."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
