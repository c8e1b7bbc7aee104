"""Errors of the alerts. Each is also its built-in cousin; messages read *what: where; what to do*."""


class AlertsError(Exception):
    """Root of everything this package raises on purpose."""

    exit_code = 1


class AlertFormatError(AlertsError, ValueError):
    """What was read is no alert of the version known here."""


class BrokerError(AlertsError, ConnectionError):
    """Redis cannot be reached, started or used."""


class OutboxError(AlertsError, OSError):
    """The outbox on the disk cannot be opened, read or written."""


class SubscriberError(AlertsError, ValueError):
    """A subscriber is asked for what it cannot be."""

    exit_code = 2
