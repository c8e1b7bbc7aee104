"""A bundle: the folder that holds a trained Heed, and everything one must know of it."""

import hashlib
import json
import mmap
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
"""Names of the four graphs; each is `NAME.onnx`, and `NAME.PRECISION.onnx` in another precision."""
REFERENCE: Final = "fp32"
"""What the graphs that every bundle has compute in."""
PRECISIONS: Final = (REFERENCE, "fp16", "int8")
"""What graphs may compute in."""
FORMED: Final = ("openvino",)
"""Providers that have their own form of some graphs, `NAME.PRECISION.PROVIDER.onnx`: the same weights and scales."""
NEEDED: Final = (*(f"{name}.onnx" for name in GRAPHS), "tokenizer.json")
"""Files that every bundle judges with."""

_MOST_BYTES: Final = 2 << 30
"""Of a file; ONNX itself takes no larger graph."""
_MOST_MANIFEST_BYTES: Final = 16 << 20
_BEYOND: Final = (b"location", b"EPContext")
"""Words without which no graph can name another file: the key of a tensor that lies outside, and the operation whose
content does. Ours are whole, and hold neither."""

Line = tuple[float, float]
"""Scale and bias of a logit."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Calibration(_Section):
    """How logits become probabilities: `sigmoid(scale * logit + bias)`; the joint one has `late * loudest` added."""

    anomaly: Line
    late: float = 0.0
    """Of the log-sum-exp of the present modalities' own calibrated logits. Bundles of 0.1.0 have none."""
    modalities: dict[str, Line]
    prior: float = Field(default=0.5, gt=0, lt=1)
    """Share of anomalous windows that the probabilities are for."""


class Source(_Section):
    """What the networks learned from."""

    name: str
    licence: str


class Cost(_Section):
    """What a precision costs a network: AUC of its token through its own head, over the same labelled windows."""

    auc: float
    """In this precision."""
    auc_fp32: float
    """Of the reference."""
    windows: int
    """How many; none of them is one that the precision was calibrated on."""


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
    precisions: dict[Literal["fp16", "int8"], dict[Literal["video", "audio", "text", "fusion"], Cost]] = {}
    """Networks that have a graph of another precision beside their reference, by precision."""

    @property
    def judging(self) -> tuple[str, ...]:
        """Files that make the judgement: the bundle's hash is over these, spec and calibration."""
        others = [(name, precision) for precision, names in self.precisions.items() for name in names]
        formed = {graph_file(*other, provider) for other in others for provider in FORMED} & self.files.keys()
        return (*NEEDED, *sorted({graph_file(*other) for other in others} | formed))


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

    def graph(self, name: str, precision: str, provider: str = "cpu") -> Path:
        """The graph of a network in a precision, or its reference where there is none of that.

        It is the provider's own form where there is one, or else the one that all run.
        """
        wanted = graph_file(name, precision, provider), graph_file(name, precision)
        return self.folder / next((file for file in wanted if file in self.manifest.judging), graph_file(name))


def graph_file(name: str, precision: str = REFERENCE, provider: str = "cpu") -> str:
    """What the file of a network's graph is called; a reference has one form."""
    if precision == REFERENCE:
        return f"{name}.onnx"
    return f"{name}.{precision}.{provider}.onnx" if provider in FORMED else f"{name}.{precision}.onnx"


def open_bundle(folder: Path | None = None) -> Bundle:
    """Opens a bundle, or the one that ships with Heed, and checks every hash.

    Raises:
        BundleError: it is missing, a file was changed, or it was made for another spec.
    """
    folder = folder or DEFAULT
    manifest = _read_manifest(folder)
    if missing := sorted(set(manifest.judging) - manifest.files.keys()):
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
        "files": {name: manifest.files[name] for name in manifest.judging},
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
        _check_size(path, _MOST_MANIFEST_BYTES)
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        wrong = f"no {MANIFEST} in it" if folder.is_dir() and not path.exists() else error.strerror
        raise BundleError(f"bundle: {folder}: {wrong}; name a folder that `heed export` wrote") from None
    except UnicodeDecodeError:
        raise BundleError(f"bundle: {path}: not UTF-8; export it again") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BundleError(f"bundle: {path}: {where}: {first['msg']}; export it again with this version") from None


def _check_file(folder: Path, name: str, expected: str) -> None:
    path = folder / name
    if name in {"", ".", ".."} or not name.isprintable() or Path(name).name != name:
        raise BundleError(f"bundle: {folder}: {name!r} is not a plain file name; export it again")
    try:
        _check_size(path, _MOST_BYTES)
        found = file_sha256(path)
    except OSError as error:
        raise BundleError(f"bundle: {path}: {error.strerror}; fetch or export the bundle again") from None
    if found != expected:
        raise BundleError(f"bundle: {path}: sha256 is {found[:12]}…, not {expected[:12]}…; fetch or export it again")
    if path.suffix == ".onnx" and _is_beyond(path):
        raise BundleError(f"bundle: {path}: names data outside itself; export it again, as one file")


def _check_size(path: Path, most: int) -> None:
    """Refuses what would be read for ever, or fill the memory.

    Raises:
        BundleError: it is no regular file, or too large.
        OSError: there is none.
    """
    size = path.stat().st_size
    if not path.is_file() or size > most:
        wrong = f"larger than {most >> 20} MiB" if path.is_file() else "not a file"
        raise BundleError(f"bundle: {path}: {wrong}; fetch or export the bundle again")


def _is_beyond(path: Path) -> bool:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(word) >= 0 for word in _BEYOND)
