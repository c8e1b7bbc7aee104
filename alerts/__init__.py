"""The alert message, its transports and its subscribers.

import alerts

for alert in alerts.subscribe("redis://localhost:6379"):
    print(alert.source, alert.kind, alert.label)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alerts.subscriber import asubscribe as asubscribe
    from alerts.subscriber import subscribe as subscribe

__all__ = ["asubscribe", "subscribe"]


def __getattr__(name: str) -> Any:
    """Loads a subscriber when it is first asked for: a camera's process needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from alerts import subscriber

    return getattr(subscriber, name)
