"""What a bundle runs on here: the provider, and of each network the graph."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import onnxruntime as ort

from export.bundle import GRAPHS, PRECISIONS, REFERENCE, Bundle
from export.errors import BundleError, ProviderError
from export.session import ORT_NAMES, OrtSession, openvino_core

PROVIDERS: Final = ("tensorrt", "cuda", "openvino", "cpu")
"""All there may be."""
AUTO: Final = ("cuda", "openvino", "cpu")
"""What is taken by itself, the first that runs. TensorRT is not: it compiles for minutes."""
NVIDIA: Final = Path("/dev/nvidiactl")
"""There when the driver has found a GPU of theirs."""
MOST_COST: Final = 0.005
"""AUC that a network may lose for speed without being asked."""
_FASTEST: Final = {"cpu": "int8", "openvino": "int8", "cuda": "fp16", "tensorrt": "fp16"}


def installed(provider: str) -> bool:
    """Whether the software for a provider is there, which says nothing of the hardware."""
    if provider != "openvino":
        return ORT_NAMES[provider] in ort.get_available_providers()
    try:
        openvino_core()
    except ProviderError:
        return False
    return True


def available(bundle: Bundle, provider: str) -> bool:
    """Whether a session of this bundle really runs on this provider here."""
    if provider in {"cpu", "openvino"} or not installed(provider):
        return installed(provider)
    if not NVIDIA.exists():
        return False
    try:
        OrtSession(bundle.graph("fusion", REFERENCE), provider)
    except (BundleError, ProviderError):
        return False
    return True


def at_hand(bundle: Bundle, provider: str | None = None) -> Iterator[tuple[str, str]]:
    """Every precision that the bundle has, on every provider that runs here or on the one that is named.

    Raises:
        ProviderError: the named one cannot be used.
    """
    running = (name for name in reversed(PROVIDERS) if available(bundle, name))
    for name in running if provider is None else [choose_provider(bundle, provider, allow_cpu=False)]:
        yield from ((name, each) for each in PRECISIONS if each in {REFERENCE, *bundle.manifest.precisions})


def choose_provider(bundle: Bundle, provider: str, *, allow_cpu: bool) -> str:
    """The provider asked for, or the first of `AUTO` that runs.

    Raises:
        ProviderError: it cannot be used, and the CPU is not allowed instead.
    """
    if provider == "auto":
        return next(name for name in AUTO if available(bundle, name))
    if provider not in PROVIDERS:
        raise ProviderError(f"provider: {provider}: not known; choose auto, {', '.join(PROVIDERS)}")
    if available(bundle, provider):
        return provider
    if allow_cpu:
        return "cpu"
    raise ProviderError(
        f"provider: {provider}: it cannot be used here; see `heed doctor`, or allow the CPU with --allow-cpu"
    )


def choose_precisions(bundle: Bundle, provider: str, precision: str) -> Mapping[str, str]:
    """The precision of each network's graph.

    Args:
        bundle: what may be chosen from.
        provider: that the graphs will run on.
        precision: for every network that has it; `auto` is the fastest of each that costs little AUC.

    Raises:
        BundleError: no network has the named precision.
        ProviderError: there is no such precision.
    """
    if precision not in {"auto", *PRECISIONS}:
        raise ProviderError(f"precision: {precision}: not known; choose auto, {', '.join(PRECISIONS)}")
    wanted = _FASTEST[provider] if precision == "auto" else precision
    others = {str(name): costs for name, costs in bundle.manifest.precisions.items()}
    if precision not in {"auto", REFERENCE, *others}:
        raise BundleError(f"bundle: {bundle.folder}: has no {precision} graph; export it with --precision {precision}")
    chosen = dict.fromkeys(GRAPHS, REFERENCE)
    for name, cost in others.get(wanted, {}).items():
        if precision != "auto" or cost.auc_fp32 - cost.auc <= MOST_COST:
            chosen[name] = wanted
    return chosen
