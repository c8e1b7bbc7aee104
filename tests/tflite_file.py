"""A TensorFlow Lite file, written by hand: what takes the first of the samples it is given for probabilities."""

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def write_tflite(path: Path, num_samples: int = 15_600, num_classes: int = 521) -> Path:
    """One slice: samples (1, `num_samples`) to the first `num_classes` of them."""
    model = schema.ModelT()
    model.version, model.description = 3, "the first samples"
    model.buffers = [_buffer(b""), _buffer(np.array([0, 0], np.int32).tobytes())]
    model.buffers.append(_buffer(np.array([1, num_classes], np.int32).tobytes()))
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SLICE
    model.operatorCodes = [code]
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, 2], [3]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.SliceOptions, schema.SliceOptionsT()
    graph = schema.SubGraphT()
    number, whole = schema.TensorType.FLOAT32, schema.TensorType.INT32
    graph.tensors = [
        _tensor("samples", [1, num_samples], number, 0),
        _tensor("begin", [2], whole, 1),
        _tensor("size", [2], whole, 2),
        _tensor("scores", [1, num_classes], number, 0),
    ]
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [3]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _buffer(data: bytes) -> schema.BufferT:
    buffer = schema.BufferT()
    buffer.data = list(data) if data else None
    return buffer


def _tensor(name: str, shape: list[int], kind: int, buffer: int) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), shape, kind, buffer
    return tensor
