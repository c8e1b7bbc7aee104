"""Multiply-accumulates of a graph, counted from the shapes that ONNX Runtime sees when it runs it."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

_FATAL_ONLY = 4


def count_macs(graph: Path, inputs: Sequence[NDArray[Any]], folder: Path) -> int:
    """Of one run over these inputs: convolutions, matrix products and LSTMs; all else is little beside them.

    Args:
        graph: the file.
        inputs: in the order the graph takes them.
        folder: for ONNX Runtime's notes of the run.
    """
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # as it was exported: nothing fused
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "macs")
    session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    session.run(None, dict(zip((node.name for node in session.get_inputs()), inputs, strict=True)))
    notes = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return sum(_macs(note["args"]) for note in notes if "output_type_shape" in note.get("args", {}))


def _macs(node: dict[str, Any]) -> int:
    takes = [_shape(each) for each in node["input_type_shape"]]
    gives = [_shape(each) for each in node["output_type_shape"]]
    match node["op_name"]:
        case "Conv":
            return math.prod(gives[0]) * math.prod(takes[1][1:])
        case "MatMul" | "Gemm":
            return math.prod(gives[0]) * takes[0][-1]
        case "LSTM":  # X (L, B, I), W (directions, 4H, I), R (directions, 4H, H)
            return math.prod(takes[0][:2]) * (math.prod(takes[1]) + math.prod(takes[2]))
    return 0


def _shape(typed: dict[str, list[int]]) -> list[int]:
    """Out of `{"float": [1, 2]}`."""
    return next(iter(typed.values()))
