"""The runtime beside torch."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from tiny import SPEC, probe
from transformers import AutoTokenizer

from export.bundle import GRAPHS, NEEDED, file_sha256, open_bundle
from export.choice import at_hand, available, choose_precisions
from export.errors import BundleError, ProviderError
from export.runtime import Runtime, open_tokenizer, tokenize
from export.write import reference
from models.network import Network
from models.spec import MODALITIES
from models.text import PACKAGED, find_bert
from models.train import read_run

LONG = "Put the money in the bag, now! " * 40


@pytest.fixture(scope="module")
def network(tiny_run: Path) -> Network:
    return read_run(tiny_run)[0]


@pytest.mark.parametrize("count", [1, 5])
def test_tokens_are_torchs(runtime: Runtime, network: Network, count: int) -> None:
    windows = probe(count, seed=count)
    expected = reference(network, windows, runtime.bundle.folder / "tokenizer.json")
    # Weights of half precision have 11 bits; the sound encoder's are whole.
    np.testing.assert_allclose(runtime.video(windows["frames"]), expected["video"], atol=5e-3)
    np.testing.assert_allclose(runtime.text(windows["texts"].tolist()), expected["text"], atol=5e-3)
    np.testing.assert_allclose(runtime.audio(windows["samples"]), expected["audio"], atol=1e-4)


@pytest.mark.parametrize("count", [1, 5])
def test_judgements_are_torchs(runtime: Runtime, network: Network, count: int) -> None:
    random = np.random.default_rng(count)
    tokens = random.normal(size=(count, SPEC.context, len(MODALITIES), SPEC.token_size)).astype(np.float32)
    present = random.random(tokens.shape[:3]) < 0.6
    judged = runtime.fusion(tokens, present)
    with torch.inference_mode():
        expected = network.fusion(torch.from_numpy(tokens), torch.from_numpy(present))
    for ours, theirs in zip(judged, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)


def test_words_are_cut_as_transformers_cuts_them(runtime: Runtime) -> None:
    theirs = AutoTokenizer.from_pretrained(find_bert(PACKAGED))
    texts = ["", "Good morning, Ann.", LONG]
    ids, mask = tokenize(open_tokenizer(runtime.bundle.folder / "tokenizer.json", SPEC), texts)
    expected = theirs(texts, padding=True, truncation=True, max_length=SPEC.num_tokens, return_tensors="np")
    np.testing.assert_array_equal(ids, expected["input_ids"])
    np.testing.assert_array_equal(mask, expected["attention_mask"])
    assert ids.shape == (3, SPEC.num_tokens)


def test_a_text_reads_the_same_beside_a_longer_one(runtime: Runtime) -> None:
    together = runtime.text(["Good morning.", LONG])
    np.testing.assert_allclose(runtime.text(["Good morning."]), together[:1], atol=1e-5)


def test_the_provider_it_says_is_the_one_that_runs(runtime: Runtime) -> None:
    assert runtime.provider == "cpu"
    assert available(runtime.bundle, "cpu")


def test_auto_takes_one_that_can_be_used(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    assert available(bundle, Runtime(bundle, threads=1).provider)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
def test_a_provider_that_is_not_there_is_refused(runtime: Runtime, provider: str) -> None:
    if available(runtime.bundle, provider):
        pytest.skip(f"{provider} can be used here")
    with pytest.raises(ProviderError, match=f"provider: {provider}: it cannot be used here; see"):
        Runtime(runtime.bundle, provider)
    assert Runtime(runtime.bundle, provider, allow_cpu=True, threads=1).provider == "cpu"


def test_an_unknown_provider_is_named(runtime: Runtime) -> None:
    with pytest.raises(ProviderError, match="provider: abacus: not known; choose auto, tensorrt, cuda, openvino, cpu"):
        Runtime(runtime.bundle, "abacus", allow_cpu=True)


def _with_precisions(tiny_bundle: Path, folder: Path, **costs: float) -> Path:
    """A bundle whose named networks have a graph they call int8, with the AUC it cost each."""
    copy = shutil.copytree(tiny_bundle, folder / "bundle")
    manifest = json.loads((copy / "bundle.json").read_text())
    for name in costs:
        shutil.copy(copy / f"{name}.onnx", copy / f"{name}.int8.onnx")
        manifest["files"][f"{name}.int8.onnx"] = manifest["files"][f"{name}.onnx"]
    measured = {name: {"auc": 0.9 - cost, "auc_fp32": 0.9, "windows": 100} for name, cost in costs.items()}
    manifest["precisions"] = {"int8": measured}
    (copy / "bundle.json").write_text(json.dumps(manifest))
    return copy


@pytest.mark.parametrize(
    ("costs", "asked", "computes"),
    [
        ({"video": 0.004}, "auto", "int8"),
        ({"video": 0.006}, "auto", "fp32"),
        ({"video": 0.006}, "int8", "int8"),
        ({"video": 0.0, "text": 0.006}, "fp32", "fp32"),
        ({}, "auto", "fp32"),
    ],
)
def test_a_precision_that_costs_little_is_taken_by_itself(
    tiny_bundle: Path, tmp_path: Path, costs: dict[str, float], asked: str, computes: str
) -> None:
    bundle = open_bundle(_with_precisions(tiny_bundle, tmp_path, **costs))
    assert Runtime(bundle, "cpu", threads=1, precision=asked).precision == computes


def test_a_precision_is_chosen_for_each_network(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = open_bundle(_with_precisions(tiny_bundle, tmp_path, video=0.02, text=-0.01))
    expected = {"video": "fp32", "audio": "fp32", "text": "int8", "fusion": "fp32"}
    assert choose_precisions(bundle, "cpu", "auto") == expected
    assert choose_precisions(bundle, "cpu", "int8") == expected | {"video": "int8"}
    assert ("cpu", "int8") in at_hand(bundle)
    assert ("cpu", "fp16") not in at_hand(bundle)


@pytest.mark.parametrize(
    ("precision", "complaint"),
    [
        ("int8", r"bundle: .*: has no int8 graph; export it with --precision int8"),
        ("int4", r"precision: int4: not known; choose auto, fp32, fp16, int8"),
    ],
)
def test_a_precision_that_is_not_there_is_named(runtime: Runtime, precision: str, complaint: str) -> None:
    with pytest.raises((BundleError, ProviderError), match=complaint):
        Runtime(runtime.bundle, "cpu", precision=precision)


def test_openvino_gives_the_same_tokens(runtime: Runtime) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed: heed[openvino]")
    other = Runtime(runtime.bundle, "openvino", threads=1)
    windows = probe(5, seed=3)
    assert other.provider == "openvino"
    np.testing.assert_allclose(other.video(windows["frames"]), runtime.video(windows["frames"]), atol=1e-4)


def _rewrite(tiny_bundle: Path, folder: Path, **changes: object) -> Path:
    """A bundle whose hashes are right and whose parts do not fit."""
    copy = shutil.copytree(tiny_bundle, folder / "bundle")
    for name in set(changes) - {"spec"}:
        file = "tokenizer.json" if name == "tokenizer" else f"{name}.onnx"
        (copy / file).write_bytes(changes[name])  # type: ignore[arg-type]
    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["files"] = {name: file_sha256(copy / name) for name in NEEDED}
    manifest["spec"] |= changes.get("spec", {})
    (copy / "bundle.json").write_text(json.dumps(manifest))
    return copy


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"num_frames": 8}, r"video\.onnx: takes \[16, 80, 80, 3\] and .*, the spec takes \[8, 80, 80, 3\] and "),
        ({"sample_rate": 8000}, r"audio\.onnx: takes \[32000\] and .*, the spec takes \[16000\] and "),
        ({"context": 4}, r"fusion\.onnx: takes \[8, 3, 256\], .*, the spec takes \[4, 3, 256\], "),
        ({"labels": ["fight"]}, r"fusion\.onnx: .* gives \[\], \[7\], \[3\], the spec .* gives \[\], \[1\], \[3\]"),
    ],
)
def test_graphs_of_another_spec_are_refused(
    tiny_bundle: Path, tmp_path: Path, spec: dict[str, object], complaint: str
) -> None:
    with pytest.raises(BundleError, match=complaint):
        Runtime(open_bundle(_rewrite(tiny_bundle, tmp_path, spec=spec)), "cpu", threads=1)


def test_a_graph_that_is_none_is_named(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = open_bundle(_rewrite(tiny_bundle, tmp_path, audio=b"not a graph"))
    with pytest.raises(BundleError, match=r"audio\.onnx: ONNX Runtime cannot load it: .*; export it again"):
        Runtime(bundle, "cpu", threads=1)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_that_takes_nothing_is_refused(tiny_bundle: Path, tmp_path: Path, name: str) -> None:
    answer = onnx.helper.make_tensor_value_info("answer", onnx.TensorProto.FLOAT, [1])
    constant = onnx.helper.make_node("Constant", [], ["answer"], value_floats=[0.5])
    body = onnx.helper.make_graph([constant], "constant", [], [answer])
    graph = onnx.helper.make_model(body, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 20)])
    bundle = open_bundle(_rewrite(tiny_bundle, tmp_path, **{name: graph.SerializeToString()}))
    with pytest.raises(BundleError, match=r"takes nothing and gives .*; export it again"):
        Runtime(bundle, "cpu", threads=1)


@pytest.mark.parametrize("tokenizer", [b"\xff", b"{}", b'{"version": "1.0", "model": {"type": "?"}}'])
def test_a_tokenizer_that_is_none_is_named(tiny_bundle: Path, tmp_path: Path, tokenizer: bytes) -> None:
    bundle = open_bundle(_rewrite(tiny_bundle, tmp_path, tokenizer=tokenizer))
    with pytest.raises(BundleError, match=r"tokenizer\.json: no tokenizer: .*; export it again"):
        Runtime(bundle, "cpu", threads=1)


def test_the_graphs_take_what_a_camera_gives(tiny_bundle: Path) -> None:
    session = ort.InferenceSession(str(tiny_bundle / "video.onnx"), providers=["CPUExecutionProvider"])
    (frames,) = session.get_inputs()
    assert frames.type == "tensor(uint8)"
    assert frames.shape[1:] == [SPEC.num_frames, SPEC.frame_size, SPEC.frame_size, 3]
