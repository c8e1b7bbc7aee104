"""Whether a bundle can prove itself."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import probe

from export.bundle import Bundle, file_sha256, open_bundle
from export.errors import BundleError, ParityError
from export.parity import PROBE, Arrays, compare, read_probe, sequences, verify, write_probe
from export.runtime import Runtime
from export.write import reference
from models.train import read_run


@pytest.fixture(scope="module")
def runtime(tiny_bundle: Path) -> Runtime:
    return Runtime(open_bundle(tiny_bundle), "cpu", threads=1)


def with_probe(tiny_bundle: Path, folder: Path, arrays: Arrays | None) -> Bundle:
    """A bundle whose hashes are right and whose probe is another one."""
    copy = shutil.copytree(tiny_bundle, folder / "bundle")
    manifest = json.loads((copy / "bundle.json").read_text())
    if arrays is None:
        del manifest["files"][PROBE]
    else:
        write_probe(copy / PROBE, arrays)
        manifest["files"][PROBE] = file_sha256(copy / PROBE)
    (copy / "bundle.json").write_text(json.dumps(manifest))
    return open_bundle(copy)


def test_a_bundle_judges_as_torch_did(runtime: Runtime) -> None:
    parity = verify(runtime)
    assert parity.num_windows == 3
    assert list(parity.differences) == ["video", "audio", "text", "anomaly"]
    assert max(parity.differences.values()) < 5e-3


def test_other_windows_than_the_probes_may_be_compared(runtime: Runtime, tiny_run: Path) -> None:
    windows = probe(2, seed=9)
    expected = windows | reference(read_run(tiny_run)[0], windows, runtime.bundle.folder / "tokenizer.json")
    assert verify(runtime, expected).num_windows == 2


@pytest.mark.parametrize("change", [100.0, np.nan])
def test_another_judgement_than_torchs_is_told(tiny_bundle: Path, tmp_path: Path, change: float) -> None:
    arrays = read_probe(open_bundle(tiny_bundle))
    arrays["anomaly"][-1] += change
    changed = Runtime(with_probe(tiny_bundle, tmp_path, arrays), "cpu", threads=1)
    with pytest.raises(ParityError, match=r"verify: .*bundle: cpu is (0\.\d{4}|nan) away from torch \(most 0\.02\)"):
        verify(changed)


def test_the_difference_is_that_of_the_calibrated_probability(runtime: Runtime) -> None:
    tokens = {name: np.zeros((2, 4), np.float32) for name in ("video", "audio", "text")}
    ours = tokens | {"anomaly": np.array([0.5, -1], np.float32), "audio": np.full((2, 4), 0.25, np.float32)}
    theirs = tokens | {"anomaly": np.array([0.5, 2], np.float32)}
    scale, bias = runtime.bundle.manifest.calibration.anomaly
    before, after = torch.sigmoid(scale * torch.tensor([-1.0, 2.0], dtype=torch.float64) + bias).tolist()
    parity = compare(runtime.bundle, ours, theirs)
    assert parity.differences == {"video": 0, "audio": 0.25, "text": 0, "anomaly": pytest.approx(after - before)}


def test_a_bundle_without_a_probe_is_told(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = with_probe(tiny_bundle, tmp_path, None)
    with pytest.raises(BundleError, match=r"holds no probe\.npz; verify it with --run, or export it again"):
        read_probe(bundle)


def pickled(path: Path) -> None:
    """Data that would run a program when read."""
    np.savez(path, allow_pickle=True, frames=np.array([print], dtype=object))


def unfinished(path: Path) -> None:
    """Some of the arrays."""
    np.savez(path, frames=np.zeros(1))


@pytest.mark.parametrize("write", [pickled, unfinished, lambda path: path.write_text("no windows")])
def test_a_probe_that_is_none_is_refused(tiny_bundle: Path, tmp_path: Path, write: Callable[[Path], object]) -> None:
    bundle = with_probe(tiny_bundle, tmp_path, {})
    write(bundle.folder / PROBE)
    with pytest.raises(BundleError, match=r"probe\.npz: no windows to verify with; export it again"):
        read_probe(bundle)


def test_a_probe_that_would_fill_the_memory_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = with_probe(tiny_bundle, tmp_path, {})
    with (
        zipfile.ZipFile(bundle.folder / PROBE, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("frames.npy", "w") as to,
    ):
        for _ in range(600):
            to.write(bytes(1 << 20))
    with pytest.raises(BundleError, match=r"probe\.npz: unpacks to 600 MiB; export it again"):
        read_probe(bundle)


def test_sequences_grow_by_a_window_and_slide() -> None:
    tokens = np.arange(1, 5, dtype=np.float32)[:, None, None] * np.ones((1, 3, 2), np.float32)
    sequence, present = sequences(tokens, 3)
    assert sequence[:, :, 0, 0].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert present[:, :, 1].tolist() == (sequence[:, :, 1, 0] > 0).tolist()
