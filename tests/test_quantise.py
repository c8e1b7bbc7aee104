"""Graphs of other precisions: that they compute as they say, and cost what the bundle says."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto
from tiny import SPEC, tiny_pools

from export.bundle import Bundle, graph_file, open_bundle, write_manifest
from export.parity import verify
from export.precisions import add_precisions, feeds, own_auc
from export.runtime import Runtime
from export.write import write_card
from models.pool import Pool
from pipeline.errors import ConfigError
from pipeline.learn import material
from pipeline.model_commands import Precision, export


@dataclass(frozen=True, slots=True)
class Quantised:
    """A tiny bundle that has all precisions, but no labelled windows of sound."""

    bundle: Bundle
    before: Bundle
    pools: dict[str, Pool]
    said: list[str]


@pytest.fixture(scope="module")
def quantised(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Quantised:
    folder = shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("quantised") / "bundle")
    pools, said = tiny_pools(count=16, only=("video", "text")), list[str]()
    manifest = add_precisions(folder, open_bundle(folder).manifest, ["int8", "fp16"], pools, said.append)
    write_card(folder, manifest, "")
    return Quantised(open_bundle(folder), open_bundle(tiny_bundle), pools, said)


def tokens(graph: Path, pool: Pool) -> np.ndarray[Any, np.dtype[np.float32]]:
    session = ort.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, feed)[0] for feed in feeds(graph, pool)])


def kinds(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def optimised(graph: Path, folder: Path) -> list[str]:
    """The operations that ONNX Runtime makes of a graph."""
    options = ort.SessionOptions()
    options.log_severity_level = 3  # that such a file is for this machine only
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return kinds(folder / "optimised.onnx")


def test_every_convolution_of_the_video_graph_is_computed_in_int8(quantised: Quantised, tmp_path: Path) -> None:
    reference = kinds(quantised.bundle.graph("video", "fp32"))
    found = optimised(quantised.bundle.graph("video", "int8"), tmp_path)
    assert found.count("QLinearConv") == reference.count("Conv")
    assert not {"Conv", "FusedConv", "Relu", "Add"} & set(found)
    assert found.count("QuantizeLinear") == found.count("DequantizeLinear") == 1


def test_both_forms_of_the_int8_graph_say_the_same(quantised: Quantised) -> None:
    bundle, pool = quantised.bundle, quantised.pools["video"]
    whole, flat = (bundle.graph("video", "int8", provider) for provider in ("openvino", "cpu"))
    assert (whole.name, flat.name) == ("video.int8.openvino.onnx", "video.int8.onnx")
    sizes = [{len(weight.dims) for weight in onnx.load(path).graph.initializer} for path in (whole, flat)]
    assert [5 in found for found in sizes] == [True, False]
    np.testing.assert_allclose(tokens(whole, pool), tokens(flat, pool), atol=0.02)


@pytest.fixture
def copied(quantised: Quantised, tmp_path: Path) -> Path:
    return shutil.copytree(quantised.bundle.folder, tmp_path / "bundle")


def test_openvino_runs_its_own_form(quantised: Quantised, copied: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed: heed[openvino]")
    bundle = open_bundle(copied)
    (copied / "video.int8.onnx").unlink()
    runtime = Runtime(bundle, "openvino", threads=1, precision="int8")
    assert runtime.precision == "int8"
    frames = quantised.pools["video"].inputs[0].numpy()
    expected = Runtime(quantised.bundle, "cpu", threads=1, precision="int8").video(frames)
    np.testing.assert_allclose(runtime.video(frames), expected, atol=0.02)
    assert verify(runtime).agrees


def test_a_bundle_without_openvinos_form_runs_there_all_the_same(copied: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed: heed[openvino]")
    manifest = open_bundle(copied).manifest
    (copied / "video.int8.openvino.onnx").unlink()
    files = {name: digest for name, digest in manifest.files.items() if name != "video.int8.openvino.onnx"}
    write_manifest(copied, manifest.model_copy(update={"files": files}))
    runtime = Runtime(open_bundle(copied), "openvino", threads=1, precision="int8")
    assert verify(runtime).agrees


def test_what_comes_before_the_network_stays_in_float32(quantised: Quantised) -> None:
    found = kinds(quantised.bundle.graph("video", "int8"))
    first = found.index("QuantizeLinear")
    assert [kind for kind in found[:first] if kind in {"Div", "Sub", "Mul"}] == ["Div", "Sub", "Mul"]


def test_products_and_embeddings_of_the_text_graph_are_int8(quantised: Quantised, tmp_path: Path) -> None:
    graph = quantised.bundle.graph("text", "int8")
    large = [weight for weight in onnx.load(graph).graph.initializer if np.prod(weight.dims) > 100_000]
    assert large
    assert {weight.data_type for weight in large} <= {TensorProto.INT8, TensorProto.UINT8}
    assert graph.stat().st_size < 0.7 * quantised.bundle.graph("text", "fp32").stat().st_size
    assert "DynamicQuantizeMatMul" in optimised(graph, tmp_path)


@pytest.mark.parametrize("name", ["video", "text"])
@pytest.mark.parametrize(("precision", "least"), [("int8", 0.98), ("fp16", 0.9999)])
def test_a_graph_says_nearly_what_its_reference_says(
    quantised: Quantised, name: str, precision: str, least: float
) -> None:
    bundle, pool = quantised.bundle, quantised.pools[name]
    assert bundle.graph(name, precision) != bundle.graph(name, "fp32")
    ours, theirs = (tokens(bundle.graph(name, which), pool) for which in (precision, "fp32"))
    assert ours.dtype == theirs.dtype
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > least


@pytest.mark.parametrize("name", ["video", "text"])
def test_a_half_precision_graph_computes_in_it_and_stores_it(quantised: Quantised, name: str) -> None:
    model = onnx.load(quantised.bundle.graph(name, "fp16"))
    large = [weight for weight in model.graph.initializer if np.prod(weight.dims) >= 4096]
    assert {weight.data_type for weight in large} == {TensorProto.FLOAT16}
    assert {part.type.tensor_type.elem_type for part in model.graph.output} == {TensorProto.FLOAT}


def test_the_manifest_holds_the_cost_over_windows_not_calibrated_on(quantised: Quantised) -> None:
    bundle, pool = quantised.bundle, quantised.pools["video"]
    costs = bundle.manifest.precisions
    assert {precision: sorted(names) for precision, names in costs.items()} == {
        "int8": ["text", "video"],
        "fp16": ["text", "video"],
    }
    cost = costs["int8"]["video"]
    assert cost.windows == len(pool) - len(pool) // 2
    assert 0 <= cost.auc <= 1
    one_sided = pool.take(torch.tensor([0, 1, 2, 3]))
    assert own_auc(bundle.graph("video", "fp32"), bundle.folder / graph_file("fusion"), "video", SPEC, one_sided) >= 0


def test_a_network_without_labelled_windows_is_left_as_it_is_and_said(tiny_bundle: Path, tmp_path: Path) -> None:
    folder, said = shutil.copytree(tiny_bundle, tmp_path / "bundle"), list[str]()
    normal = tiny_pools(count=8, only=("text",))
    normal["text"] = normal["text"].take(normal["text"].labels == 0)
    manifest = add_precisions(folder, open_bundle(folder).manifest, ["int8"], normal, said.append)
    assert manifest.precisions == {}
    left = "is left as it is: no labelled windows of it, normal and anomalous"
    assert said == [f"export: int8: {name} {left}" for name in ("video", "text")]
    assert not list(folder.glob("*.int8.onnx"))


def test_the_card_says_what_each_precision_costs(quantised: Quantised) -> None:
    card = (quantised.bundle.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    cost = quantised.bundle.manifest.precisions["int8"]["video"]
    assert f"| int8 | video | {cost.windows} | {cost.auc:.4f} | {cost.auc_fp32:.4f} |" in card
    assert f"Hash `{quantised.bundle.sha256[:16]}`" in card
    assert quantised.bundle.sha256 != quantised.before.sha256


def test_graphs_of_other_precisions_hold_nothing_of_the_machine(quantised: Quantised) -> None:
    for path in graphs(quantised.bundle):
        model = onnx.load(path)
        onnx.checker.check_model(model)
        assert not model.metadata_props


def graphs(bundle: Bundle) -> Iterator[Path]:
    for precision, names in bundle.manifest.precisions.items():
        for name in names:
            yield from {bundle.graph(name, precision, provider) for provider in ("cpu", "openvino")}


def test_a_precision_is_asked_for_together_with_what_calibrates_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--precision and --calibrate: one without the other; give both"):
        export(tmp_path, tmp_path / "bundle", precision=[Precision.INT8])


def test_a_labels_file_may_be_for_one_modality() -> None:
    assert material("video=fights/train.csv").modalities == ("video",)
    assert material("video=fights/train.csv").labels == Path("fights/train.csv")
    assert material("a=b.csv").labels == Path("a=b.csv")
    assert material("train.csv").modalities == ("video", "audio", "text")
