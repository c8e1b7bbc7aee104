"""A sound teacher that has heard more than we have: YAMNet's judgements, for the sound encoder to learn first."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import WeightsError

PATCH = 15_600
"""Samples that YAMNet hears at once, at 16 kHz."""
NUM_SOUNDS = 521
"""Classes of AudioSet that it knows."""


class Teacher:
    """YAMNet as TensorFlow Lite: 521 classes of AudioSet.

    Source: Gemmeke et al., "Audio Set", ICASSP 2017; github.com/tensorflow/models, audioset/yamnet (Apache-2.0).
    """

    def __init__(self, path: Path) -> None:
        """Opens the file.

        Raises:
            WeightsError: the file or TensorFlow Lite is missing, or it is another network.
        """
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ModuleNotFoundError:
            raise WeightsError(
                "audio teacher: ai-edge-litert: not installed; pip install 'heed[train]' on Linux"
            ) from None
        try:
            self._network = Interpreter(str(path), num_threads=1)
            self._network.allocate_tensors()
        except (OSError, RuntimeError, ValueError):
            raise WeightsError(f"audio teacher: {path}: not a TensorFlow Lite file; name yamnet.tflite") from None
        given, scores = self._network.get_input_details()[0], self._network.get_output_details()[0]
        if given["shape"][-1] != PATCH or scores["shape"][-1] != NUM_SOUNDS:
            raise WeightsError(f"audio teacher: {path}: does not take {PATCH} samples; name yamnet.tflite")
        self._given, self._scores = given, scores["index"]

    def __call__(self, samples: Tensor) -> Tensor:
        """Probabilities (B, 521) of windows (B, S): the highest over patches that cover the window."""
        num_patches = max(1, -(-samples.shape[1] // PATCH))
        padded = torch.nn.functional.pad(samples, (0, max(0, PATCH - samples.shape[1]))).numpy()
        starts = np.linspace(0, padded.shape[1] - PATCH, num_patches).round().astype(int)
        heard = [np.max([self._hear(window[start : start + PATCH]) for start in starts], axis=0) for window in padded]
        return torch.from_numpy(np.stack(heard))

    def _hear(self, patch: NDArray[np.float32]) -> NDArray[np.float32]:
        self._network.set_tensor(self._given["index"], patch.reshape(self._given["shape"]))
        self._network.invoke()
        scores: NDArray[np.float32] = self._network.get_tensor(self._scores)[0].copy()
        return scores
