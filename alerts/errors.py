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


class TargetError(AlertsError, ValueError):
    """What alerts shall be forwarded to cannot be used as it is configured."""

    exit_code = 2


class PrivateAddressError(AlertsError, PermissionError):
    """A host leads to an address that is not public."""


class DeliveryError(AlertsError, ConnectionError):
    """A target has not taken an alert."""

    def __init__(self, message: str, *, is_passing: bool = False) -> None:
        """What is wrong, and whether it may be otherwise in a while."""
        super().__init__(message)
        self.is_passing = is_passing
        """Whether there is any use in trying again."""
