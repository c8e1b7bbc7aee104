"""Runs a bundle on ONNX Runtime, on the provider that was asked for, and says which one it really is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from export.bundle import GRAPHS, REFERENCE, Bundle
from export.choice import choose_precisions, choose_provider
from export.errors import BundleError
from export.judgement import Judgement
from export.session import ANY, BUCKETS, Session, Shapes, open_session
from models.spec import MODALITIES, Spec

_ON_GPU: Final = frozenset({"cuda", "tensorrt"})


class Runtime:
    """The four graphs of a bundle, ready to run."""

    def __init__(
        self,
        bundle: Bundle,
        provider: str = "auto",
        *,
        allow_cpu: bool = False,
        threads: int = 0,
        precision: str = "auto",
    ) -> None:
        """Opens the sessions.

        Args:
            bundle: opened and checked.
            provider: `auto`, or one of `PROVIDERS`.
            allow_cpu: take the CPU when the named provider cannot be used.
            threads: of each session; 0 means one for every core.
            precision: `auto`, or one of `PRECISIONS`, for every network that has it.

        Raises:
            ProviderError: the named provider cannot be used.
            BundleError: a graph cannot be loaded or does not fit the spec, or there is none of the named precision.
        """
        self.bundle, self.spec = bundle, bundle.spec
        self.provider = choose_provider(bundle, provider, allow_cpu=allow_cpu)
        """The provider the sessions really use."""
        precisions = choose_precisions(bundle, self.provider, precision)
        self.precision = next((name for name in precisions.values() if name != REFERENCE), REFERENCE)
        """What is computed in: by the networks that have a graph of it, the others in single precision."""
        self._sessions = {name: _open(bundle, name, self.provider, precisions[name], threads) for name in GRAPHS}
        _check_shapes(bundle, self._sessions)
        self._tokenizer = open_tokenizer(bundle.folder / "tokenizer.json", self.spec)
        if self.provider in _ON_GPU:
            self._warm_up()

    def video(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Frames (B, T, H, W, 3) to tokens (B, D)."""
        return self._sessions["video"].run(frames)[0]

    def audio(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples (B, S) to tokens (B, D)."""
        return self._sessions["audio"].run(samples)[0]

    def text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Words of B windows to tokens (B, D)."""
        # Each other length is another shape, for which a GPU chooses its algorithms anew.
        length = self.spec.num_tokens if self.provider in _ON_GPU else 0
        return self._sessions["text"].run(*tokenize(self._tokenizer, texts, length))[0]

    def fusion(self, tokens: NDArray[np.float32], present: NDArray[np.bool_]) -> Judgement:
        """Tokens (B, K, M, D) and presence (B, K, M) to a judgement of the last window."""
        return Judgement(*self._sessions["fusion"].run(tokens, present))

    def _warm_up(self) -> None:
        """Runs every network at every size of batch once, so that no window waits for what a GPU prepares."""
        spec = self.spec
        tokens = (spec.context, len(MODALITIES), spec.token_size)
        for size in (BUCKETS[0], BUCKETS[-1], *BUCKETS[1:-1]):  # TensorRT compiles anew for a size outside those it had
            self.video(np.zeros((size, spec.num_frames, spec.frame_size, spec.frame_size, 3), np.uint8))
            self.audio(np.zeros((size, spec.num_samples), np.float32))
            self.text([""] * size)
            self.fusion(np.zeros((size, *tokens), np.float32), np.ones((size, *tokens[:2]), np.bool_))


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


def tokenize(
    tokenizer: Tokenizer, texts: Sequence[str], length: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and mask, int64 (B, L), L as long as the longest text needs, and no shorter than `length`."""
    encodings = tokenizer.encode_batch(list(texts))
    ids = np.zeros((len(encodings), max([length, *(len(encoding.ids) for encoding in encodings)])), np.int64)
    mask = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
    return ids, mask


def _open(bundle: Bundle, name: str, provider: str, precision: str, threads: int) -> Session:
    # OpenVINO gains where the work is; small networks open sooner on ONNX Runtime, and run as fast.
    where = "cpu" if provider == "openvino" and name != "video" else provider
    return open_session(bundle.graph(name, precision, where), where, threads)


def _check_shapes(bundle: Bundle, sessions: Mapping[str, Session]) -> None:
    spec = bundle.spec
    frames, token = [spec.num_frames, spec.frame_size, spec.frame_size, 3], [spec.token_size]
    tokens = [spec.context, len(MODALITIES), spec.token_size]
    expected: dict[str, tuple[Shapes, Shapes]] = {
        "video": ([frames], [token]),
        "audio": ([[spec.num_samples]], [token]),
        "text": ([[ANY], [ANY]], [token]),
        "fusion": ([tokens, tokens[:2]], [[], [len(spec.labels)], [len(MODALITIES)]]),
    }
    for name, (takes, gives) in expected.items():
        found = (sessions[name].takes, sessions[name].gives)
        if found != (takes, gives):
            path = bundle.folder / f"{name}.onnx"
            raise BundleError(f"bundle: {path}: {_arrow(*found)}, the spec {_arrow(takes, gives)}; export it again")


def _arrow(takes: Shapes, gives: Shapes) -> str:
    return f"takes {', '.join(map(str, takes)) or 'nothing'} and gives {', '.join(map(str, gives)) or 'nothing'}"
