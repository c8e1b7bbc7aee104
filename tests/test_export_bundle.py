"""Opening bundles, whole and broken ones."""

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from tiny import SPEC

from export.bundle import NEEDED, file_sha256, identity, open_bundle
from export.errors import BundleError

RECIPE = Path(__file__).parent.parent / "models" / "recipe.toml"
FILES = (*NEEDED, "probe.npz", "MODEL_CARD.md")


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


def change(bundle: Path, how: Callable[[dict[str, Any]], object]) -> None:
    """Changes `bundle.json`."""
    path = bundle / "bundle.json"
    manifest = json.loads(path.read_text())
    how(manifest)
    path.write_text(json.dumps(manifest))


def test_the_bundle_that_ships_is_whole() -> None:
    assert open_bundle().manifest.name == tomllib.loads(RECIPE.read_text())["name"]


def test_a_whole_bundle_opens(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    assert bundle.name == "tiny"
    assert bundle.spec == SPEC
    assert sorted(bundle.manifest.files) == sorted(FILES)
    assert sorted(path.name for path in tiny_bundle.iterdir()) == sorted((*FILES, "bundle.json"))
    assert bundle.manifest.data[0].name == "noise and tones"


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_in_any_file_is_found(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name}: sha256 is \w+…, not \w+…; fetch or export it again"):
        open_bundle(bundle)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=rf"{name}: No such file or directory; fetch or export the bundle again"):
        open_bundle(bundle)


@pytest.mark.parametrize("name", NEEDED)
def test_a_file_that_nobody_vouches_for_is_named(bundle: Path, name: str) -> None:
    change(bundle, lambda manifest: manifest["files"].pop(name))
    with pytest.raises(BundleError, match=f"bundle.json does not list {name}; export it again"):
        open_bundle(bundle)


def test_files_outside_the_folder_are_not_read(bundle: Path) -> None:
    shutil.copy(bundle / "video.onnx", bundle.parent)
    change(bundle, lambda manifest: manifest["files"].update({"../video.onnx": manifest["files"]["video.onnx"]}))
    with pytest.raises(BundleError, match=r"'\.\./video\.onnx' is not a plain file name"):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["..", ".", "", "/etc/hostname", "a/b", "a\0b", "\x1b[2J"])
def test_only_plain_names_are_files_of_a_bundle(bundle: Path, name: str) -> None:
    change(bundle, lambda manifest: manifest["files"].update({name: "0" * 64}))
    with pytest.raises(BundleError, match="is not a plain file name; export it again") as caught:
        open_bundle(bundle)
    assert str(caught.value).isprintable()


def test_what_would_be_read_for_ever_is_refused(bundle: Path) -> None:
    (bundle / "MODEL_CARD.md").unlink()
    (bundle / "MODEL_CARD.md").symlink_to("/dev/zero")
    with pytest.raises(BundleError, match=r"MODEL_CARD\.md: not a file"):
        open_bundle(bundle)


@pytest.mark.parametrize(("name", "most"), [("bundle.json", "16 MiB"), ("video.onnx", "2048 MiB")])
def test_what_would_fill_the_memory_is_refused(bundle: Path, name: str, most: str) -> None:
    with (bundle / name).open("r+b") as file:
        file.truncate(3 << 30)  # a hole: it takes no place on the disk
    with pytest.raises(BundleError, match=f"{name}: larger than {most}"):
        open_bundle(bundle)


def test_a_graph_whose_numbers_lie_in_another_file_is_refused(bundle: Path) -> None:
    graph = onnx.load(bundle / "audio.onnx")
    onnx.save(graph, bundle / "audio.onnx", save_as_external_data=True, location="secret.bin", size_threshold=0)
    change(bundle, lambda manifest: manifest["files"].update({"audio.onnx": file_sha256(bundle / "audio.onnx")}))
    with pytest.raises(BundleError, match=r"audio\.onnx: names data outside itself; export it again, as one file"):
        open_bundle(bundle)


def test_a_graph_with_a_compiled_part_in_another_file_is_refused(bundle: Path) -> None:
    graph = onnx.load(bundle / "audio.onnx")
    compiled = onnx.helper.make_node("EPContext", [], [], domain="com.microsoft", ep_cache_context="../engine")
    graph.graph.node.append(compiled)
    onnx.save(graph, bundle / "audio.onnx")
    change(bundle, lambda manifest: manifest["files"].update({"audio.onnx": file_sha256(bundle / "audio.onnx")}))
    with pytest.raises(BundleError, match="names data outside itself"):
        open_bundle(bundle)


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        (lambda manifest: manifest["spec"].pop("context"), "made for another version: spec: context missing"),
        (lambda manifest: manifest["spec"].update(smell=1), "made for another version: spec: smell not known to this"),
        (lambda manifest: manifest["spec"].update(labels=7), "made for another version"),
        (lambda manifest: manifest.update(treshold=0.5), r"bundle\.json: treshold: Extra inputs are not permitted"),
        (lambda manifest: manifest.update(version=2), r"bundle\.json: version: Input should be 1"),
        (lambda manifest: manifest.update(threshold=1.5), r"bundle\.json: threshold: Input should be less than 1"),
        (lambda manifest: manifest.pop("calibration"), r"bundle\.json: calibration: Field required"),
    ],
)
def test_a_manifest_of_another_version_is_refused(
    bundle: Path, how: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    change(bundle, how)
    with pytest.raises(BundleError, match=complaint):
        open_bundle(bundle)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"{", "the file: Invalid JSON"), (b"[]", "the file: Input should be an object"), (b"\xff", "not UTF-8")],
)
def test_a_manifest_that_is_none_is_refused(bundle: Path, content: bytes, complaint: str) -> None:
    (bundle / "bundle.json").write_bytes(content)
    with pytest.raises(BundleError, match=rf"bundle\.json: {complaint}"):
        open_bundle(bundle)


def test_what_is_not_a_bundle_is_named(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere: No such file or directory; name a folder that `heed export` wrote"):
        open_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"no bundle\.json in it; name a folder that `heed export` wrote"):
        open_bundle(tmp_path)
    with pytest.raises(BundleError, match=r"video\.onnx: Not a directory; name a folder"):
        open_bundle(bundle / "video.onnx")


def test_the_hash_is_of_all_that_judges(bundle: Path) -> None:
    before = open_bundle(bundle)
    manifest = before.manifest
    assert before.sha256 == identity(manifest)
    changes: list[dict[str, Any]] = [{"files": {**manifest.files, name: "0" * 64}} for name in NEEDED]
    changes += [{"threshold": 0.123}, {"spec": {**manifest.spec, "context": 9}}]
    changes += [{"calibration": manifest.calibration.model_copy(update={"anomaly": (2.0, 0.5)})}]
    hashes = {identity(manifest.model_copy(update=change)) for change in changes}
    assert len(hashes - {before.sha256}) == len(changes)


def test_card_and_figures_are_not_part_of_the_hash(bundle: Path) -> None:
    before = open_bundle(bundle).sha256
    (bundle / "MODEL_CARD.md").write_text("Another card.\n")
    change(bundle, lambda manifest: manifest["files"].update({"MODEL_CARD.md": file_sha256(bundle / "MODEL_CARD.md")}))
    change(bundle, lambda manifest: manifest["metrics"].update(fights={"clip": {"auc": 0.5}}))
    assert open_bundle(bundle).sha256 == before


def add_graph(bundle: Path) -> None:
    """Gives a bundle an int8 video graph: here a copy of the reference."""
    shutil.copy(bundle / "video.onnx", bundle / "video.int8.onnx")
    hashed = {"video.int8.onnx": file_sha256(bundle / "video.int8.onnx")}
    cost = {"auc": 0.91, "auc_fp32": 0.92, "windows": 40}
    change(bundle, lambda manifest: manifest["files"].update(hashed))
    change(bundle, lambda manifest: manifest.update(precisions={"int8": {"video": cost}}))


def test_a_graph_is_that_of_the_precision_or_the_reference(bundle: Path) -> None:
    add_graph(bundle)
    opened = open_bundle(bundle)
    assert opened.graph("video", "int8") == bundle / "video.int8.onnx"
    assert opened.graph("video", "fp32") == bundle / "video.onnx"
    assert opened.graph("video", "fp16") == bundle / "video.onnx"
    assert opened.graph("text", "int8") == bundle / "text.onnx"


def add_form(bundle: Path) -> None:
    """Gives a bundle with an int8 video graph OpenVINO's own form of it: here a copy of the reference."""
    shutil.copy(bundle / "video.onnx", bundle / "video.int8.openvino.onnx")
    hashed = {"video.int8.openvino.onnx": file_sha256(bundle / "video.onnx")}
    change(bundle, lambda manifest: manifest["files"].update(hashed))


def test_a_graph_is_the_providers_own_form_where_there_is_one(bundle: Path) -> None:
    add_graph(bundle)
    assert open_bundle(bundle).graph("video", "int8", "openvino") == bundle / "video.int8.onnx"
    add_form(bundle)
    opened = open_bundle(bundle)
    assert opened.graph("video", "int8", "openvino") == bundle / "video.int8.openvino.onnx"
    assert opened.graph("video", "int8", "cpu") == bundle / "video.int8.onnx"
    assert opened.graph("video", "fp32", "openvino") == bundle / "video.onnx"
    assert opened.graph("text", "int8", "openvino") == bundle / "text.onnx"


def test_a_providers_own_form_is_part_of_the_hash(bundle: Path) -> None:
    add_graph(bundle)
    before = open_bundle(bundle).sha256
    add_form(bundle)
    manifest = open_bundle(bundle).manifest
    changed = manifest.model_copy(update={"files": {**manifest.files, "video.int8.openvino.onnx": "0" * 64}})
    assert len({before, identity(manifest), identity(changed)}) == 3
    (bundle / "video.int8.openvino.onnx").write_bytes(b"another")
    with pytest.raises(BundleError, match=r"video\.int8\.openvino\.onnx: sha256 is "):
        open_bundle(bundle)


def test_graphs_of_other_precisions_are_part_of_the_hash(bundle: Path) -> None:
    before = open_bundle(bundle).sha256
    add_graph(bundle)
    manifest = open_bundle(bundle).manifest
    changed = manifest.model_copy(update={"files": {**manifest.files, "video.int8.onnx": "0" * 64}})
    assert len({before, identity(manifest), identity(changed)}) == 3


def test_a_bundle_of_before_there_were_precisions_opens_with_its_hash(bundle: Path) -> None:
    before = open_bundle(bundle).sha256
    change(bundle, lambda manifest: manifest.pop("precisions", None))
    assert open_bundle(bundle).sha256 == before
    assert open_bundle(bundle).graph("video", "int8") == bundle / "video.onnx"


def test_a_graph_of_another_precision_that_is_not_there_is_named(bundle: Path) -> None:
    add_graph(bundle)
    (bundle / "video.int8.onnx").unlink()
    with pytest.raises(BundleError, match=r"video\.int8\.onnx: No such file or directory; fetch or export the bundle"):
        open_bundle(bundle)
    change(bundle, lambda manifest: manifest["files"].pop("video.int8.onnx"))
    with pytest.raises(BundleError, match=r"bundle\.json does not list video\.int8\.onnx; export it again"):
        open_bundle(bundle)


def test_a_precision_that_is_none_is_named(bundle: Path) -> None:
    change(bundle, lambda manifest: manifest.update(precisions={"int4": {}}))
    with pytest.raises(BundleError, match=r"precisions\.int4\.\[key\]: Input should be 'fp16' or 'int8'"):
        open_bundle(bundle)
