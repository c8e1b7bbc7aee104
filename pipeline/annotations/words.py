"""What data sets call things, in our words."""

import re
from typing import Final

from models.spec import NORMAL

ANOMALY: Final = "anomaly"
"""Label of what a data set calls anomalous and gives no name."""

_SYNONYMS: Final = {
    "fighting": "fight",
    "shooting": "gun_shot",
    "gunshot": "gun_shot",
    "glass_breaking": "glass_break",
    "no_fight": NORMAL,
    "non_fight": NORMAL,
    "no_violence": NORMAL,
    "non_violence": NORMAL,
    "normal_videos": NORMAL,
    "normal_videos_event": NORMAL,
    "testing_normal_videos_anomaly": NORMAL,
    "training_normal_videos_anomaly": NORMAL,
}
"""Of the labels of the shipped bundle, and folders of RWF-2000, RLVS and UCF-Crime that hold normal videos."""


def label_of(word: str) -> str:
    """A data set's own word in lower snake case (`RoadAccidents`: `road_accidents`), or our word for the same."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+", "_", word.strip()).lower()
    return _SYNONYMS.get(snake, snake)
