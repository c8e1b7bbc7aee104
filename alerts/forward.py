"""Alerts to a target outside: each is acknowledged when it is there, and a dead letter when it is refused."""

import socket
from collections.abc import Callable

from alerts import keys
from alerts.alert import Alert
from alerts.complaint import FAILURES, complaint
from alerts.connect import node
from alerts.errors import AlertFormatError, BrokerError, DeliveryError
from alerts.group import Member, create_group
from alerts.link import Link, read_alert

Send = Callable[[Alert], bool]
"""Takes an alert to its target, and returns whether it is there; not if the program is to end before.

Raises `DeliveryError` when there is no use in trying any longer.
"""


def at_once() -> bool:
    """For a target that is always ready."""
    return True


def forward(link: Link, target: str, send: Send, ready: Callable[[], bool] = at_once) -> None:
    """Takes alerts to a target until stopped, from where an earlier run of this name on this machine left off.

    The target has a consumer group of its own. A new one begins with the next alert that comes.

    Args:
        link: Where alerts come from; closed at the end.
        target: Name of the target.
        send: Takes them there.
        ready: Waits until alerts can be taken there; false if stopped before. None is taken from Redis until then: with
            every start it would count as delivered once more, and after some as a dead letter.

    Raises:
        BrokerError: Redis refuses.
    """
    group = keys.FORWARD + target
    try:
        create_group(node(link.client, keys.STREAM), group, "$")
    except FAILURES as error:
        link.client.close()
        raise BrokerError(complaint(link.client, error)) from None
    member = Member(link, group, socket.gethostname())
    with link.client:
        if not ready():
            return
        for entry_id, fields in member.deliveries():
            try:
                is_there = send(read_alert(fields))
            except (AlertFormatError, DeliveryError) as error:
                member.bury(entry_id, fields, str(error))
            else:
                if is_there:
                    member.acknowledge(entry_id)
