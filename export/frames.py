"""Quantised 3D convolutions as 2D ones over neighbouring pictures laid beside each other in the channels.

ONNX Runtime's int8 convolution copies its input one kernel position at a time in 3D, a whole row of the kernel in 2D:
over few channels the copies are most of the work. The numbers are the same ones, added in another order.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference

_TIME_FIRST = [0, 2, 1, 3, 4]
"""From (B, C, T, H, W) to (B, T, C, H, W), and back."""


def flatten_convolutions(model: Any) -> Any:
    """A QDQ graph without 3D convolutions.

    Args:
        model: in which each 3D convolution reads a tensor and a weight that were quantised, and is quantised itself.
    """
    model = shape_inference.infer_shapes(model)
    graph = model.graph
    nodes: list[Any] = []
    found = _Graph(graph)
    quantised: set[str] = set()
    for node in graph.node:
        if node.op_type == "Conv" and len(found.shapes[node.input[0]]) == 5:
            nodes += _flat(node, found, graph.initializer)
            quantised.add(found.reader[node.output[0]].name)
        elif node.name not in quantised:
            nodes.append(node)
    read = {name for node in nodes for name in node.input}
    del graph.node[:], graph.value_info[:]
    graph.node.extend(node for node in nodes if node.op_type != "DequantizeLinear" or node.output[0] in read)
    onnx.checker.check_model(model)
    return model


class _Graph:
    """Who makes and who reads a tensor of a graph, and how large it is."""

    def __init__(self, graph: Any) -> None:
        self.maker = {name: node for node in graph.node for name in node.output}
        self.reader = {name: node for node in graph.node for name in node.input}
        """The last one."""
        self.weights = {weight.name: weight for weight in graph.initializer}
        self.shapes = {
            value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in graph.value_info
        }


def _flat(node: Any, found: _Graph, initializer: Any) -> list[Any]:
    """The nodes that take the place of a 3D convolution and its quantisation; shapes are (B, C, T, H, W)."""
    attributes = {part.name: helper.get_attribute_value(part) for part in node.attribute}
    (depth, *kernel), (stride, *strides), pads = (attributes[key] for key in ("kernel_shape", "strides", "pads"))
    taken, quantise = found.maker[node.input[0]], found.reader[node.output[0]]
    _, channels, _, height, width = found.shapes[node.input[0]]
    _, made, times, *size = found.shapes[node.output[0]]
    _flatten_weight(found.weights[found.maker[node.input[1]].input[0]])
    nodes: list[Any] = []

    def constant(role: str, value: NDArray[np.int64]) -> str:
        initializer.append(numpy_helper.from_array(value.astype(np.int64), f"{node.name}.{role}"))
        return f"{node.name}.{role}"

    def add(kind: str, *inputs: str, to: str = "", **settings: Any) -> str:
        name = f"{node.name}.{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [to or name], name, **settings))
        return to or name

    x = add("Transpose", taken.input[0], perm=_TIME_FIRST)  # uint8 from here
    if pads[0] or pads[3]:
        x = add("Pad", x, constant("pads", np.array([0, pads[0], 0, 0, 0, 0, pads[3], 0, 0, 0])), taken.input[2])
    pictures = np.arange(times)[:, None] * stride + np.arange(depth)
    x = add("Gather", x, constant("pictures", pictures), axis=1)  # (B, T', depth, C, H, W)
    x = add("Reshape", x, constant("flat", np.array([-1, depth * channels, height, width])))
    x = add("DequantizeLinear", x, *taken.input[1:])
    edges = [*pads[1:3], *pads[4:]]
    x = add("Conv", x, *node.input[1:], kernel_shape=kernel, strides=strides, pads=edges)
    x = add("QuantizeLinear", x, *quantise.input[1:])
    x = add("Reshape", x, constant("whole", np.array([-1, times, made, *size])))
    add("Transpose", x, to=quantise.output[0], perm=_TIME_FIRST)
    return nodes


def _flatten_weight(weight: Any) -> None:
    """From (O, C, T, H, W) to (O, T * C, H, W)."""
    values = numpy_helper.to_array(weight)
    flat = values.swapaxes(1, 2).reshape(len(values), -1, *values.shape[3:])
    weight.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(flat), weight.name))
