"""The model, as the configuration asks for it."""

from pathlib import Path

from export.bundle import open_bundle
from export.runtime import Runtime
from pipeline.config import EngineConfig


def open_runtime(engine: EngineConfig, bundle: Path | None = None) -> Runtime:
    """Opens the bundle, or another than the configuration's, on the provider.

    Raises:
        BundleError: the bundle is wrong.
        ProviderError: the provider cannot be used.
    """
    return Runtime(
        open_bundle(bundle or engine.bundle),
        engine.provider,
        allow_cpu=engine.allow_cpu,
        threads=engine.threads,
        precision=engine.precision,
    )
