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


class SourceAddressError(SourceFormatError):
    """The address is of a kind that is not opened: there is no use in trying again."""


class SourceCodecError(SourceFormatError):
    """There is picture or sound, but of a codec for which there is no decoder."""


class SourceLimitError(SourceFormatError):
    """It wants more than one source may have: pixels, tracks or memory."""


class SourceTrackError(SourceFormatError):
    """There is neither picture, sound nor subtitles in words."""


class SourceUnauthorisedError(SourceError, PermissionError):
    """The user or password is refused."""


class SourceRefusedError(SourceError, ConnectionRefusedError):
    """Nobody listens at the address."""


class SourceTlsError(SourceError, ConnectionError):
    """No encrypted connection comes about."""


class SourceTimeoutError(SourceError, TimeoutError):
    """Nothing came in time."""


class ConfigError(HeedError, ValueError):
    """The configuration is wrong."""

    exit_code = 2


class LabelsError(HeedError, ValueError):
    """A labels file is wrong."""

    exit_code = 2


class ServeError(HeedError, OSError):
    """The page cannot be served."""


class BenchStoppedError(HeedError, InterruptedError):
    """The user has ended a benchmark before its end."""

    exit_code = 130


class SpeechError(HeedError, RuntimeError):
    """Speech cannot be recognised here."""
