"""What is in the graphs that ship, and what is not."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from export.bundle import GRAPHS
from export.graphs import OPSET, examples, halve_weights
from models.spec import Spec

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_names_no_file_of_the_machine_that_exported_it(tiny_bundle: Path, name: str) -> None:
    content = (tiny_bundle / f"{name}.onnx").read_bytes()
    for path in (ROOT, Path(torch.__file__).parent.parent, Path.home()):
        assert str(path).encode() not in content
    assert b'File "' not in content
    assert b"stack_trace" not in content


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_is_whole_and_of_one_file(tiny_bundle: Path, name: str) -> None:
    model = onnx.load(tiny_bundle / f"{name}.onnx", load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert not any(weight.external_data for weight in model.graph.initializer)
    assert [(opset.domain, opset.version) for opset in model.opset_import if not opset.domain] == [("", OPSET)]


@pytest.mark.parametrize("name", ["video", "text"])
def test_large_weights_are_stored_in_half_precision(tiny_bundle: Path, name: str) -> None:
    model = onnx.load(tiny_bundle / f"{name}.onnx")
    large = [weight for weight in model.graph.initializer if np.prod(weight.dims) >= 4096]
    assert {weight.data_type for weight in large} == {TensorProto.FLOAT16}
    assert TensorProto.FLOAT in {weight.data_type for weight in model.graph.initializer}


@pytest.mark.parametrize("name", GRAPHS)
def test_the_batch_is_free(tiny_bundle: Path, name: str) -> None:
    model = onnx.load(tiny_bundle / f"{name}.onnx")
    assert all(part.type.tensor_type.shape.dim[0].dim_param for part in (*model.graph.input, *model.graph.output))
    assert len(model.graph.input) == len(examples(Spec())[name])


def test_halved_weights_compute_in_single_precision() -> None:
    weight = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    small = np.linspace(0, 1, 64, dtype=np.float32)
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["xw"]), helper.make_node("Add", ["xw", "b"], ["y"])],
            "line",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64])],
            [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(small, "b")],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=10,
    )
    halve_weights(model)
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(size=(1, 64)).astype(np.float32)
    expected = x @ weight.astype(np.float16).astype(np.float32) + small
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, atol=1e-4)
