"""Runs a bundle on ONNX Runtime, on the provider that was asked for, and says which one it really is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state
from tokenizers import Tokenizer

from export.bundle import GRAPHS, Bundle
from export.errors import BundleError, ProviderError
from models.spec import MODALITIES, Spec

PROVIDERS: Final = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""ONNX Runtime's name of each provider."""
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "cuda": {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"},
}
NVIDIA: Final = Path("/dev/nvidiactl")
"""There when the driver has found a GPU of theirs."""
_FATAL_ONLY = 4
_ORT_ERRORS: Final = (
    RuntimeError,
    ValueError,  # a name within that is not UTF-8
    *(
        getattr(state, name)
        for name in ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented")
    ),
)
"""ONNX Runtime's errors have no root of their own."""

_Shapes = Sequence[Sequence[int | str]]
"""Sizes of several arrays, without the batch."""
_ANY: Final = "any"


class Judgement(NamedTuple):
    """What fusion thinks of B windows, as logits."""

    anomaly: NDArray[np.float32]
    """(B,)"""
    classes: NDArray[np.float32]
    """(B, C)"""
    modalities: NDArray[np.float32]
    """(B, M)"""


class Runtime:
    """The four graphs of a bundle, ready to run."""

    def __init__(self, bundle: Bundle, provider: str = "auto", *, allow_cpu: bool = False, threads: int = 0) -> None:
        """Opens the sessions.

        Args:
            bundle: opened and checked.
            provider: `auto`, or one of `PROVIDERS`.
            allow_cpu: take the CPU when the named provider cannot be used.
            threads: of ONNX Runtime; 0 means one for every core.

        Raises:
            ProviderError: the named provider cannot be used.
            BundleError: a graph cannot be loaded or does not fit the spec.
        """
        self.bundle, self.spec = bundle, bundle.spec
        self.provider = _choose(provider, bundle, threads, allow_cpu=allow_cpu)
        """The provider the sessions really use."""
        self._sessions = {name: _session(bundle, name, self.provider, threads) for name in GRAPHS}
        _check_shapes(bundle, self._sessions)
        self._tokenizer = open_tokenizer(bundle.folder / "tokenizer.json", self.spec)

    def video(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Frames (B, T, H, W, 3) to tokens (B, D)."""
        return self._run("video", frames)[0]

    def audio(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples (B, S) to tokens (B, D)."""
        return self._run("audio", samples)[0]

    def text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Words of B windows to tokens (B, D)."""
        return self._run("text", *tokenize(self._tokenizer, texts))[0]

    def fusion(self, tokens: NDArray[np.float32], present: NDArray[np.bool_]) -> Judgement:
        """Tokens (B, K, M, D) and presence (B, K, M) to a judgement of the last window."""
        return Judgement(*self._run("fusion", tokens, present))

    def _run(self, name: str, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        session = self._sessions[name]
        names = (node.name for node in session.get_inputs())
        outputs: list[NDArray[np.float32]] = session.run(None, dict(zip(names, inputs, strict=True)))
        return outputs


def open_tokenizer(path: Path, spec: Spec) -> Tokenizer:
    """A `tokenizer.json` that cuts at the spec's number of word pieces.

    Raises:
        BundleError: it is none.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 tokenizers has no narrower one
        reason = next(iter(str(error).splitlines()), type(error).__name__)  # some say nothing
        raise BundleError(f"bundle: {path}: no tokenizer: {reason}; export it again") from None
    tokenizer.enable_truncation(spec.num_tokens)
    tokenizer.no_padding()
    return tokenizer


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and mask, int64 (B, L), L as long as the longest text needs."""
    encodings = tokenizer.encode_batch(list(texts))
    ids = np.zeros((len(encodings), max((len(encoding.ids) for encoding in encodings), default=0)), np.int64)
    mask = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
    return ids, mask


def available(bundle: Bundle, provider: str, threads: int = 0) -> bool:
    """Whether a session of this bundle really runs on this provider here."""
    if provider == "cpu":
        return True
    if PROVIDERS[provider] not in ort.get_available_providers():
        return False
    if provider in {"cuda", "tensorrt"} and not NVIDIA.exists():
        return False
    try:
        session = _session(bundle, "fusion", provider, threads)
    except BundleError:
        return False
    return bool(session.get_providers()[0] == PROVIDERS[provider])


def _choose(provider: str, bundle: Bundle, threads: int, *, allow_cpu: bool) -> str:
    if provider == "auto":
        return next(name for name in ("cuda", "openvino", "cpu") if available(bundle, name, threads))
    if provider not in PROVIDERS:
        raise ProviderError(f"provider: {provider}: not known; choose auto, {', '.join(PROVIDERS)}")
    if available(bundle, provider, threads):
        return provider
    if allow_cpu:
        return "cpu"
    raise ProviderError(
        f"provider: {provider}: ONNX Runtime cannot use it here; see `heed doctor`, or allow the CPU with --allow-cpu"
    )


def _session(bundle: Bundle, name: str, provider: str, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _FATAL_ONLY
    # Four sessions share the cores with the decoders: a thread without work must sleep.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if provider in {"cuda", "tensorrt"}:
        ort.preload_dlls()  # CUDA and cuDNN out of the packages that heed[gpu] brings
    providers: list[Any] = [(PROVIDERS[provider], _OPTIONS.get(provider, {}))]
    path = bundle.folder / f"{name}.onnx"
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except _ORT_ERRORS as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)  # some say nothing
        raise BundleError(f"bundle: {path}: ONNX Runtime cannot load it: {reason}; export it again") from None


def _check_shapes(bundle: Bundle, sessions: dict[str, ort.InferenceSession]) -> None:
    spec = bundle.spec
    frames, token = [spec.num_frames, spec.frame_size, spec.frame_size, 3], [spec.token_size]
    tokens = [spec.context, len(MODALITIES), spec.token_size]
    expected: dict[str, tuple[_Shapes, _Shapes]] = {
        "video": ([frames], [token]),
        "audio": ([[spec.num_samples]], [token]),
        "text": ([[_ANY], [_ANY]], [token]),
        "fusion": ([tokens, tokens[:2]], [[], [len(spec.labels)], [len(MODALITIES)]]),
    }
    for name, (takes, gives) in expected.items():
        found = (_shapes(sessions[name].get_inputs()), _shapes(sessions[name].get_outputs()))
        if found != (takes, gives):
            path = bundle.folder / f"{name}.onnx"
            raise BundleError(f"bundle: {path}: {_arrow(*found)}, the spec {_arrow(takes, gives)}; export it again")


def _shapes(nodes: Sequence[ort.NodeArg]) -> _Shapes:
    return [[size if isinstance(size, int) else _ANY for size in node.shape[1:]] for node in nodes]


def _arrow(takes: _Shapes, gives: _Shapes) -> str:
    return f"takes {', '.join(map(str, takes)) or 'nothing'} and gives {', '.join(map(str, gives)) or 'nothing'}"
