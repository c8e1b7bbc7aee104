"""The bundle's networks in torch, as they were before export. With random weights: how fast they are is the same."""

import torch
from transformers.utils import logging

from export.bundle import Bundle
from export.runtime import open_tokenizer, tokenize
from models.network import Architecture, Network, begin_network
from pipeline.window import Window


def own_network(bundle: Bundle) -> Network:
    """Networks of the sizes that the bundle's recipe has.

    Raises:
        WeightsError: the text network that it began with is not to be had here.
        KeyError: the recipe does not tell the sizes.
    """
    recipe = bundle.manifest.training["recipe"]
    video, audio, text, fusion = (recipe[name] for name in ("video", "audio", "text", "fusion"))
    architecture = Architecture(
        video_width=video["width"],
        video_input=video["sees"],
        audio_hidden=audio["hidden"],
        bert=text["bert"],
        fusion_layers=fusion["layers"],
        fusion_heads=fusion["heads"],
        fusion_kind=fusion["kind"],
    )
    logging.disable_progress_bar()
    return begin_network(bundle.spec, architecture, "random", text["weights"]).eval()


class OwnScript:
    """Heed's networks without Heed: torch eager, one window at a time."""

    def __init__(self, bundle: Bundle) -> None:
        self._network, self._spec = own_network(bundle), bundle.spec
        self._tokenizer = open_tokenizer(bundle.folder / "tokenizer.json", bundle.spec)

    @torch.inference_mode()
    def judge(self, window: Window) -> float:
        """The anomaly logit of a window that has been the first."""
        tokens = torch.zeros(1, self._spec.context, 3, self._spec.token_size)
        present = torch.zeros(1, self._spec.context, 3, dtype=torch.bool)
        if window.frames is not None:
            tokens[0, -1, 0] = self._network.video(torch.from_numpy(window.frames)[None])[0]
        if window.samples is not None:
            tokens[0, -1, 1] = self._network.audio(torch.from_numpy(window.samples)[None])[0]
        if window.text:
            tokens[0, -1, 2] = self._network.text(*map(torch.from_numpy, tokenize(self._tokenizer, [window.text])))[0]
        return float(self._network.fusion(tokens, present)[0][0])
