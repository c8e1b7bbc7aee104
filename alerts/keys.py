"""Every name in Redis, every number and every timeout of the alerts, each with its reason."""

from typing import Final

STREAM: Final = "heed:alerts"
"""Stream of all alerts, one field each: the truth."""
FIELD: Final = "alert"
"""The field of a stream entry that holds the JSON."""
CHANNEL: Final = "heed:alerts:live"
"""Pub/Sub mirror of the stream, for who may miss some."""
DEAD: Final = "heed:alerts:dead"
"""Stream of entries that no consumer could handle, with the reason: nothing is thrown away unseen."""
STATE: Final = "heed:state:"
"""Followed by the source's name: hash of its present state."""
PICTURE: Final = "heed:picture:"
"""Followed by the source's name: JPEG of its latest picture, some 15 KB."""
SCORES: Final = "heed:scores:"
"""Followed by the source's name: stream of what was thought of its last windows, an entry each."""
ACKNOWLEDGED: Final = "heed:acknowledged"
"""Hash: by the alert's id, what a person said of it, as JSON."""
METRICS: Final = "heed:metrics:"
"""Followed by the engine's name: hash of what it counts, for as long as a state lives."""
SNAPSHOT: Final = "snapshot"
"""The field of that hash that holds the JSON."""
METRICS_EVERY_SECONDS: Final = 5.0
"""How often an engine says it: three times within the shortest interval that Prometheus commonly has."""
READERS: Final = "heed:readers"
"""Hash: of every reader with a name, the entry it was done with last."""
TEXT: Final = "heed:text:"
"""Followed by the source's name: Stream of words that captioners and speech recognisers write for it."""

STREAM_LENGTH: Final = 10_000
"""About how many entries either stream keeps (`MAXLEN ~`): some 10 MB, weeks of alerts."""
STATE_SECONDS: Final = 60
"""A state lives this long: longer than a reconnect pause (30 s), short enough that a dead watcher's is soon gone."""
PICTURE_SECONDS: Final = 60
"""A picture lives as long as a state."""
SCORES_LENGTH: Final = 300
"""About how many windows a source's scores go back (`MAXLEN ~`): five minutes."""
SCORES_SECONDS: Final = 600
"""Scores of a source that gives no windows any more live this long."""

TEXT_LENGTH: Final = 1000
"""About how many entries of words are kept: an hour of speech."""
TEXT_POLL_SECONDS: Final = 0.25
"""How often they are read: a window comes every second."""

SOCKET_SECONDS: Final = 5.0
"""For connecting, and for every answer. redis-py's own retries are off: they multiply with each other, and both
publisher and subscriber try again for ever anyway. So one publish ends within 15 s (connect, handshake, command)."""
REPLICA_SECONDS: Final = 1.0
"""For one replica to have an alert too, where one may take over: a failover loses what no replica has. A master that is
being replaced waits in vain, and is told so within this."""
FIRST_PAUSE_SECONDS: Final = 0.1
"""Pause after the first failure; doubles every time."""
LONGEST_PAUSE_SECONDS: Final = 10.0
"""A broker that comes back is found within this."""
QUIET_FAILURES: Final = 2
"""Failures in a row that nobody is told of: a Redis that restarts is back before the third."""
BATCH: Final = 100
"""Most alerts sent, or read by a follower, at once: one round trip, well under a megabyte."""

OUTBOX_SECONDS: Final = 0.5
"""For another process that is just writing the same outbox; the pipeline must not wait longer."""
OUTBOX_ALERTS: Final = 100_000
"""Most alerts that wait on the disk: weeks of a dead Redis with a hundred cameras."""
OUTBOX_BYTES: Final = 256 * 1024**2
"""Most bytes that they may have: small enough for the SD card of a camera box."""
OUTBOX_DAYS: Final = 7.0
"""An alert that has waited longer warns nobody any more, and would bury those that do."""
UNWRITTEN_ALERTS: Final = 1_000
"""Most alerts kept in memory because the disk would not take them: about a megabyte."""
CLOSE_SECONDS: Final = 1.0
"""For a last attempt to send what waits, when the program ends: Ctrl-C has 2 s for everything."""

BLOCK_SECONDS: Final = 0.5
"""How long one read waits for news: the time a subscriber needs to notice that it shall stop."""
CLAIM_IDLE_SECONDS: Final = 60
"""An alert delivered, but not acknowledged for this long, goes to another consumer of the group."""
CLAIM_EVERY_SECONDS: Final = 5
"""How often a consumer looks for such alerts."""
MOST_DELIVERIES: Final = 5
"""An alert delivered this often and never acknowledged goes to `DEAD`: it brings its consumers down."""
GONE_SECONDS: Final = 24 * 3600
"""A consumer that has asked for nothing this long, and owes nothing, is removed from its group."""
REWIND_SECONDS: Final = 60
"""How far a follower goes back when the stream is behind it: clocks of servers differ by less."""
REMEMBERED: Final = 10_000
"""Alerts that `distinct` remembers: as many as the stream keeps."""

FORWARD: Final = "forward-"
"""Followed by a target's name: the consumer group that reads alerts for it. A target that is dead holds up no other."""
WEBHOOK_SECONDS: Final = 10.0
"""For one attempt, from connecting to the answer."""
WEBHOOK_PAUSES: Final = (1.0, 3.0, 9.0)
"""Before the second, third and last attempt: a server that is started anew is back by then. With all four attempts less
than `CLAIM_IDLE_SECONDS`, after which another machine would try, too."""
MQTT_SECONDS: Final = 10.0
"""For connecting to a broker."""
MQTT_KEEPALIVE_SECONDS: Final = 20
"""A broker that has been silent for one and a half times this is taken for dead, and so are we by it."""
MQTT_LONGEST_PAUSE_SECONDS: Final = 30
"""A broker that comes back is found within this; the first pause is 1 s, and doubles."""
MQTT_END_SECONDS: Final = 0.3
"""For the last words to a broker, when the program ends."""
STATES_SECONDS: Final = 1.0
"""How often states are read for a broker: a camera that fails is told within this."""

EMBEDDED_START_SECONDS: Final = 30.0
"""For the embedded Redis to start and load what it holds; 100 MB take about one second."""
SOCKET_PATH_BYTES: Final = 103
"""Longest path of a unix socket: 107 on Linux, 103 on macOS."""
