"""Graphs, opened in several ways, that give the same answers."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from tiny import SPEC, probe

from export.errors import BundleError
from export.session import BUCKETS, BoundSession, OpenVinoSession, OrtSession, Session, in_buckets


@pytest.fixture(scope="module")
def plain(tiny_bundle: Path) -> OrtSession:
    return OrtSession(tiny_bundle / "audio.onnx", "cpu", 1)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_bound_arrays_give_the_same_tokens(plain: OrtSession, tiny_bundle: Path, count: int) -> None:
    bound = BoundSession(tiny_bundle / "audio.onnx", "cpu", 1)
    for seed in range(2):  # the second time in the memory of the first
        samples = probe(count, seed=seed)["samples"]
        np.testing.assert_allclose(bound.run(samples)[0], plain.run(samples)[0], atol=1e-5)


def test_bound_arrays_give_the_same_judgement(tiny_bundle: Path) -> None:
    plain, bound = (kind(tiny_bundle / "fusion.onnx", "cpu", 1) for kind in (OrtSession, BoundSession))
    tokens = np.random.default_rng(0).normal(size=(5, SPEC.context, 3, SPEC.token_size)).astype(np.float32)
    present = np.random.default_rng(1).random(tokens.shape[:3]) < 0.5
    for ours, theirs in zip(bound.run(tokens, present), plain.run(tokens, present), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_answers_of_one_batch_stay_when_the_next_has_run(tiny_bundle: Path) -> None:
    bound = BoundSession(tiny_bundle / "audio.onnx", "cpu", 1)
    (first,) = bound.run(probe(2, seed=0)["samples"])
    kept = first.copy()
    bound.run(probe(2, seed=1)["samples"])
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("count", [1, 2, 3, 31, 32, 33, 100])
def test_a_batch_is_run_in_sizes_that_are_known(count: int) -> None:
    sizes: list[int] = []

    def double(rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        sizes.append(len(rows))
        return [2 * rows, rows.sum(axis=1)]

    rows = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    doubled, sums = in_buckets(double, [rows])
    np.testing.assert_array_equal(doubled, 2 * rows)
    np.testing.assert_array_equal(sums, rows.sum(axis=1))
    assert set(sizes) <= set(BUCKETS)
    assert sum(sizes) < 2 * count + 1


def test_openvino_takes_and_gives_what_onnx_runtime_does(plain: OrtSession, tiny_bundle: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed: heed[openvino]")
    other: Session = OpenVinoSession(tiny_bundle / "audio.onnx", 1)
    assert (other.takes, other.gives) == (plain.takes, plain.gives)
    for count in (1, 3):
        samples = probe(count)["samples"]
        np.testing.assert_allclose(other.run(samples)[0], plain.run(samples)[0], atol=1e-4)


def test_openvino_names_a_graph_that_is_none(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed: heed[openvino]")
    path = tmp_path / "video.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(BundleError, match=r"video\.onnx: OpenVINO cannot load it: .*; export it again"):
        OpenVinoSession(path)


def test_a_graph_tells_its_open_sizes(tmp_path: Path) -> None:
    rows = onnx.helper.make_tensor_value_info("rows", onnx.TensorProto.FLOAT, ["batch", "length", 4])
    out = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, ["batch", "length", 4])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["rows"], ["out"])], "relu", [rows], [out])
    onnx.save(
        onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 20)]),
        str(tmp_path / "relu.onnx"),
    )
    session = OrtSession(tmp_path / "relu.onnx")
    assert (session.takes, session.gives) == ([["any", 4]], [["any", 4]])
