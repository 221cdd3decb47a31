"""How much the state holds, whatever a log has in it.

These bounds are part of the fold: the same in both languages, and no setting changes them, so that a log gives one
state everywhere and at any time. What a client may add today is bounded by the settings of `[quotas]`, which are never
above these (`missioncontrol.config`); only a log of an earlier release holds more, and what is beyond is left out of
the state.
"""

from __future__ import annotations

MAX_AGENTS = 20_000
MAX_TASKS = 400_000
MAX_LEADS = 400_000
MAX_OPEN_QUESTIONS = 4_000
"""How many records of a kind there are; one more is left out until another one goes."""

MAX_RECORD_BYTES = 65_536
"""How large a record is, as `size_of` counts; a change that makes it larger is left out."""

MAX_ID_BYTES = 2_048
MAX_WORD_BYTES = 64
"""How long an id, and a short word such as a time or a runtime's name, is in UTF-8; a longer one is none."""

MAX_NUMBER = 1e15
"""The largest number that is summed, and the largest sum; both languages count exactly up to there."""

MAX_MODELS = 500
MAX_SESSIONS = 200
MAX_DAYS = 400
MAX_AGENT_DAYS = 100
MAX_HOSTS = 256
MAX_ALERTS = 50
KEPT_PER_KIND = 100
"""How many models, sessions, days, hosts, alerts, and questions of a kind that are over the state keeps."""

MAX_STANDUPS = 100
MAX_STANDUPS_BYTES = 524_288
"""How many standups the state keeps, and how large all of them together are, as `size_of` counts."""

OTHER = "other"
"""The model under which uses are summed once there are `MAX_MODELS`."""

MAX_NOTE_BYTES = 4_096
"""How much of a message, and of what an agent says about its session, is kept where the whole is too large."""
