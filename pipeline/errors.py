"""Errors of the pipeline. Each is also its built-in cousin; messages read *what: where; what to do*."""


class HeedError(Exception):
    """Root of everything the pipeline raises on purpose."""

    exit_code = 1


class SourceError(HeedError, OSError):
    """A source cannot be opened or read."""


class ConfigError(HeedError, ValueError):
    """The configuration is wrong."""

    exit_code = 2


class LabelsError(HeedError, ValueError):
    """A labels file is wrong."""

    exit_code = 2
