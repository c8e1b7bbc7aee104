"""Whether a bundle can prove itself."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import probe

from export.bundle import Bundle, Calibration, file_sha256, open_bundle
from export.errors import BundleError, ParityError
from export.parity import PROBE, Arrays, check, probabilities, read_probe, sequences, verify, write_probe
from export.runtime import Runtime
from export.write import reference
from models.spec import MODALITIES
from models.train import read_run


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
    assert (parity.provider, parity.precision, parity.num_windows) == ("cpu", "fp32", 3)
    assert list(parity.differences) == ["video", "audio", "text", "anomaly"]
    assert max(parity.differences.values()) < 5e-3
    assert parity.agrees
    assert parity.rank_correlation == pytest.approx(1)
    check(runtime.bundle, [parity])


def test_other_windows_than_the_probes_may_be_compared(runtime: Runtime, tiny_run: Path) -> None:
    windows = probe(2, seed=9)
    expected = windows | reference(read_run(tiny_run)[0], windows, runtime.bundle.folder / "tokenizer.json")
    assert verify(runtime, expected).num_windows == 2


def gentle(bundle: Bundle, late: float) -> Bundle:
    """The bundle with a calibration under which no probability is at an end."""
    lines = dict.fromkeys(MODALITIES, (1.0, 0.0))
    calibration = Calibration(anomaly=(1.0, 0.0), late=late, modalities=lines)
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"calibration": calibration}))


@pytest.mark.parametrize("change", [100.0, np.nan])
def test_another_judgement_than_torchs_is_told(tiny_bundle: Path, tmp_path: Path, change: float) -> None:
    arrays = read_probe(open_bundle(tiny_bundle))
    arrays["anomaly"][-1] += change
    bundle = gentle(with_probe(tiny_bundle, tmp_path, arrays), late=0.0)
    parity = verify(Runtime(bundle, "cpu", threads=1))
    assert not parity.agrees
    complaint = r"verify: .*bundle: cpu in fp32 is (0\.\d{4}|nan) away from torch \(most 0\.02\)"
    with pytest.raises(ParityError, match=complaint):
        check(bundle, [parity])


@pytest.mark.parametrize(("late", "agrees"), [(0.0, True), (0.75, False)])
def test_the_part_of_late_fusion_is_compared(tiny_bundle: Path, tmp_path: Path, late: float, agrees: bool) -> None:
    arrays = read_probe(open_bundle(tiny_bundle))
    arrays["modalities"] += 100
    bundle = gentle(with_probe(tiny_bundle, tmp_path, arrays), late)
    assert verify(Runtime(bundle, "cpu", threads=1)).agrees is agrees


def test_a_probe_without_modalities_is_compared_without_late_fusion(tiny_bundle: Path, tmp_path: Path) -> None:
    arrays = read_probe(open_bundle(tiny_bundle))
    del arrays["modalities"]
    bundle = gentle(with_probe(tiny_bundle, tmp_path, arrays), late=0.75)
    assert verify(Runtime(bundle, "cpu", threads=1)).agrees


def test_probabilities_are_those_that_are_told(runtime: Runtime) -> None:
    bundle = gentle(runtime.bundle, late=0.5)
    run = {"anomaly": np.array([-1, 2], np.float32), "modalities": np.array([[0, 1, 2], [-3, -4, -5]], np.float32)}
    joint = torch.from_numpy(run["anomaly"])
    late = joint + 0.5 * torch.logsumexp(torch.from_numpy(run["modalities"]), dim=1)
    np.testing.assert_allclose(probabilities(bundle, run, is_late=True), torch.sigmoid(late), rtol=1e-5)
    np.testing.assert_allclose(probabilities(bundle, run, is_late=False), torch.sigmoid(joint), rtol=1e-5)


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
