"""`heed verify`: a table of what runs here, beside torch and on labelled files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from media_files import write_pictures
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from export.bundle import file_sha256, open_bundle
from export.choice import PROVIDERS, available
from export.runtime import Runtime
from pipeline.agreement import agreements, table, window_auc
from pipeline.cli import app
from pipeline.config import Config
from pipeline.evaluate import evaluate
from pipeline.metrics import UndefinedError


@pytest.fixture(scope="module")
def two_precisions(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle, with its sound encoder under another name as well."""
    folder = shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("two") / "bundle")
    shutil.copy(folder / "audio.onnx", folder / "audio.int8.onnx")
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["files"]["audio.int8.onnx"] = file_sha256(folder / "audio.int8.onnx")
    manifest["precisions"] = {"int8": {"audio": {"auc": 0.9, "auc_fp32": 0.9, "windows": 10}}}
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return folder


def pictures(folder: Path, count: int) -> None:
    """A source of a tenth of a second each."""
    folder.mkdir()
    write_pictures(folder, count)


def test_every_precision_runs_on_every_provider_at_hand(two_precisions: Path) -> None:
    bundle = open_bundle(two_precisions)
    found = list(agreements(bundle))
    ran = {(each.parity.provider, each.parity.precision) for each in found}
    here = [name for name in PROVIDERS if available(bundle, name)]
    assert ran == {(name, precision) for name in here for precision in ("fp32", "int8")}
    assert all(each.parity.agrees for each in found)
    assert len(list(table(found))) == 1 + len(found)


def test_a_named_provider_is_the_only_one(tiny_bundle: Path) -> None:
    result = CliRunner().invoke(app, ["verify", str(tiny_bundle), "--provider", "cpu", "--json"])
    assert result.exit_code == 0
    (row,) = json.loads(result.stdout)
    assert (row["provider"], row["precision"], row["agrees"], row["auc"]) == ("cpu", "fp32", True, None)


def test_the_auc_is_that_of_the_windows(tiny_bundle: Path, tmp_path: Path, runtime: Runtime) -> None:
    pictures(tmp_path / "lit", 60)
    pictures(tmp_path / "again", 40)
    labels = tmp_path / "labels.csv"
    labels.write_text("path,start_seconds,end_seconds,label\nlit,,,fight\nagain,,,normal\n")
    evaluate(labels, tiny_bundle, Config.model_validate({"engine": {"provider": "cpu"}}), tmp_path / "out")
    rows = np.genfromtxt(tmp_path / "out" / "windows.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    expected = roc_auc_score(rows["path"] == "lit", rows["score"])
    assert window_auc(labels, runtime) == pytest.approx(expected)


def test_labels_of_one_kind_have_no_auc(tmp_path: Path, runtime: Runtime) -> None:
    pictures(tmp_path / "lit", 40)
    labels = tmp_path / "labels.csv"
    labels.write_text("path,start_seconds,end_seconds,label\nlit,,,fight\n")
    with pytest.raises(UndefinedError):
        window_auc(labels, runtime)
