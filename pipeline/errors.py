"""Errors of the pipeline. Each is also its built-in cousin; messages read *what: where; what to do*."""


class HeedError(Exception):
    """Root of everything the pipeline raises on purpose."""

    exit_code = 1


class SourceError(HeedError, OSError):
    """A source cannot be opened or read."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """There is no such file, stream or device."""


class SourceFormatError(SourceError, ValueError):
    """It is there, but there is nothing in it that can be watched, heard or read."""


class SourceUnauthorisedError(SourceError, PermissionError):
    """The user or password is refused."""


class SourceRefusedError(SourceError, ConnectionRefusedError):
    """Nobody listens at the address."""


class SourceTimeoutError(SourceError, TimeoutError):
    """Nothing came in time."""


class ConfigError(HeedError, ValueError):
    """The configuration is wrong."""

    exit_code = 2


class LabelsError(HeedError, ValueError):
    """A labels file is wrong."""

    exit_code = 2
