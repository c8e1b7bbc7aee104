"""Graphs of other precisions beside the reference: int8 for CPUs, float16 for GPUs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from export.bundle import graph_file
from export.frames import flatten_convolutions
from export.graphs import strip_notes

PAYING: Final = {"int8": ("video", "text"), "fp16": ("video", "text")}
"""Networks that each precision makes faster. The sound encoder and fusion take a millisecond as they are."""
CALIBRATION_WINDOWS: Final = 64
"""Windows whose ranges the static int8 graph takes for all."""
_CALIBRATION_BATCH = 4

Feed = dict[str, NDArray[Any]]


def write_precision(folder: Path, name: str, precision: str, feeds: Iterator[Feed]) -> list[Path]:
    """Writes a network's graph in another precision; what it takes and gives stays as it is.

    int8 of `video` is static: weights per channel, ranges of what flows calibrated on windows; pre-processing and the
    last product stay float32. OpenVINO gets it with 3D convolutions, the others flattened. int8 of `text` is dynamic:
    products per channel, embeddings stored as int8.

    Args:
        folder: of the bundle, with the float32 graph.
        name: of the network, one of `PAYING[precision]`.
        precision: `int8` or `fp16`.
        feeds: windows to calibrate on, as the graph takes them.

    Returns:
        The files: the graph that all providers run, and any provider's own form.
    """
    model = onnx.load(folder / graph_file(name))
    single_weights(model)
    graph = folder / graph_file(name, precision)
    if precision == "fp16":
        forms = {graph: _half(model)}
    elif name == "video":
        whole = _static(model, graph, feeds)
        forms = {graph: flatten_convolutions(whole), folder / graph_file(name, precision, "openvino"): whole}
    else:
        forms = {graph: _dynamic(model, graph)}
    for path, form in forms.items():
        strip_notes(form)
        onnx.checker.check_model(form)
        onnx.save(form, str(path))
    return list(forms)


def single_weights(model: Any) -> None:
    """Turns weights that are stored as float16 and cast into float32 ones: the opposite of `halve_weights`."""
    stored = {weight.name: weight for weight in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "Cast" and node.input[0] in stored]:
        halved = stored[node.input[0]]
        single = numpy_helper.to_array(halved).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(single, node.output[0]))
        model.graph.initializer.remove(halved)
        model.graph.node.remove(node)
    del model.graph.value_info[:]  # ONNX Runtime's quantiser turns some weights round, and infers shapes anew


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Windows, as ONNX Runtime's calibration asks for them."""

    def __init__(self, feeds: Iterator[Feed]) -> None:
        self._feeds = feeds

    def get_next(self) -> Feed | None:
        """The next windows, or None when there are no more."""
        return next(self._feeds, None)


def _static(model: Any, out: Path, feeds: Iterator[Feed]) -> Any:
    # Without this note the quantiser advises a pass that the exporter has already made.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    quantize_static(
        model,
        out,
        _Reader(feeds),
        op_types_to_quantize=["Conv", "Add", "Relu"],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        extra_options={"CalibMovingAverage": True},  # the mean of the batches' ranges: one loud window widens none
    )
    return onnx.load(out)


def _dynamic(model: Any, out: Path) -> Any:
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    quantize_dynamic(
        model,
        out,
        op_types_to_quantize=["MatMul", "Gather"],
        per_channel=True,
        weight_type=QuantType.QInt8,
    )
    return onnx.load(out)


def _half(model: Any) -> Any:
    """All but what comes before the first convolution, if there is one: pictures are whole numbers up to 255."""
    kinds = [node.op_type for node in model.graph.node]
    first = kinds.index("Conv") if "Conv" in kinds else 0
    kept = [node.name for node in model.graph.node[:first]]
    half = convert_float_to_float16(model, keep_io_types=True, node_block_list=kept)
    # The converter adds a cast for every reader, of the same name, at the end.
    nodes = {node.output[0]: node for node in half.graph.node}
    del half.graph.node[:]
    half.graph.node.extend(nodes.values())
    OnnxModel.graph_topological_sort(half.graph)
    return half
