"""A bundle: the folder that holds a trained Heed, and everything one must know of it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from export.errors import BundleError
from models.spec import MODALITIES, Spec

DEFAULT: Final = Path(__file__).parent / "default"
"""The bundle that ships with Heed."""
MANIFEST: Final = "bundle.json"
GRAPHS: Final = (*MODALITIES, "fusion")
"""Names of the four graphs; each is `NAME.onnx`."""
NEEDED: Final = (*(f"{name}.onnx" for name in GRAPHS), "tokenizer.json")
"""Files that make the judgement: the bundle's hash is over these, spec and calibration."""

Line = tuple[float, float]
"""Scale and bias of a logit."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Calibration(_Section):
    """How logits become probabilities: `sigmoid(scale * logit + bias)`."""

    anomaly: Line
    modalities: dict[str, Line]


class Source(_Section):
    """What the networks learned from."""

    name: str
    licence: str


class Manifest(_Section):
    """What `bundle.json` holds."""

    version: Literal[1] = 1
    name: str
    spec: dict[str, Any]
    files: dict[str, str]
    """sha256 of every file beside this one."""
    threshold: float = Field(gt=0, lt=1)
    """From this calibrated probability on a window is an anomaly."""
    calibration: Calibration
    data: tuple[Source, ...]
    metrics: dict[str, Any]
    """Figures by the name of what was evaluated, as `metrics.json` has them."""
    training: dict[str, Any]
    """The recipe and its validation figures."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files are whole and fit together."""

    folder: Path
    manifest: Manifest
    spec: Spec
    sha256: str
    """Of what makes the judgement: graphs, tokenizer, spec, calibration and threshold."""

    @property
    def name(self) -> str:
        """What alerts call the model."""
        return self.manifest.name


def open_bundle(folder: Path | None = None) -> Bundle:
    """Opens a bundle, or the one that ships with Heed, and checks every hash.

    Raises:
        BundleError: it is missing, a file was changed, or it was made for another spec.
    """
    folder = folder or DEFAULT
    manifest = _read_manifest(folder)
    if missing := sorted(set(NEEDED) - manifest.files.keys()):
        raise BundleError(f"bundle: {folder}: {MANIFEST} does not list {', '.join(missing)}; export it again")
    for name, expected in manifest.files.items():
        _check_file(folder, name, expected)
    try:
        spec = Spec.from_json(manifest.spec)
    except (ValueError, TypeError) as error:
        raise BundleError(f"bundle: {folder}: made for another version: {error}; export it again") from None
    return Bundle(folder, manifest, spec, identity(manifest))


def identity(manifest: Manifest) -> str:
    """sha256 of all that makes the judgement; figures and card may change without changing it."""
    judging = {
        "files": {name: manifest.files[name] for name in NEEDED},
        "spec": manifest.spec,
        "calibration": manifest.calibration.model_dump(mode="json"),
        "threshold": manifest.threshold,
    }
    return hashlib.sha256(json.dumps(judging, sort_keys=True).encode()).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes `bundle.json`, whole or not at all."""
    unfinished = folder / f"{MANIFEST}.tmp"
    unfinished.write_text(json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    unfinished.replace(folder / MANIFEST)


def file_sha256(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"bundle: {folder}: {error.strerror}; name a folder that `heed export` wrote") from None
    except UnicodeDecodeError:
        raise BundleError(f"bundle: {path}: not UTF-8; export it again") from None
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"])) or "the file"
        raise BundleError(f"bundle: {path}: {where}: {wrong['msg']}; export it again with this version") from None


def _check_file(folder: Path, name: str, expected: str) -> None:
    path = folder / name
    if Path(name).name != name:
        raise BundleError(f"bundle: {folder}: {name!r} is not a plain file name; export it again")
    try:
        found = file_sha256(path)
    except OSError as error:
        raise BundleError(f"bundle: {path}: {error.strerror}; fetch or export the bundle again") from None
    if found != expected:
        raise BundleError(f"bundle: {path}: sha256 is {found[:12]}…, not {expected[:12]}…; fetch or export it again")
