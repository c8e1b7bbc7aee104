"""Errors of bundles and of the runtime that runs them."""


class ExportError(Exception):
    """Root of everything this package raises on purpose."""

    exit_code = 1


class BundleError(ExportError, ValueError):
    """A bundle is missing, damaged or made for another spec."""


class ProviderError(ExportError, RuntimeError):
    """The provider that was asked for cannot be used."""


class ParityError(ExportError, ArithmeticError):
    """Two runtimes disagree about the same windows."""
