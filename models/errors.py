"""Errors of the networks and their training."""


class ModelsError(Exception):
    """Root of everything this package raises on purpose."""

    exit_code = 1


class RecipeError(ModelsError, ValueError):
    """The recipe, or the data it names, is wrong."""

    exit_code = 2


class WeightsError(ModelsError, FileNotFoundError):
    """Weights are not to be had, or do not fit."""


class TrainingError(ModelsError, ArithmeticError):
    """Training went astray."""


class StorageError(ModelsError, OSError):
    """A run's files cannot be written."""
