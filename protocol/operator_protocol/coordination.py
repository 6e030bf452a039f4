"""Coordination messages: the types there are, how long they are kept, and how large they may be.

``docs/protocol.md`` has the wire; ``docs/devops.md`` what the ``DEVOPS_*`` messages say.
"""

MESSAGE_TYPES = (
    "READY_FOR_REVIEW",
    "REVIEW_COMPLETE",
    "REVIEW_FAILED",
    "CONTRACT_CHANGE_PROPOSED",
    "CONTRACT_REVIEW_NEEDED",
    "CONTRACT_FEEDBACK",
    "CONTRACT_APPROVED",
    "CONTRACT_REJECTED",
    "META_CHANGE_REQUEST",
    "META_CHANGE_COMPLETE",
    "INTERFACE_UPDATE",
    "BLOCKING_ISSUE",
    "GENERAL",
    "STATUS_UPDATE",
    "HEARTBEAT",
    "NOTIFICATION",
    "DEVOPS_STARTED",
    "DEVOPS_STEP_UPDATE",
    "DEVOPS_COMPLETE",
    "DEVOPS_FAILED",
    "SESSION_START",
    "SESSION_END",
    "SWARM_STARTED",
    "SWARM_REVIEWER_COMPLETE",
    "SWARM_COMPLETE",
    "SWARM_FAILED",
)
EVERYBODY = "all"
"""The recipient of what is for everybody."""

RETENTION_S = 24 * 3600.0
"""Messages this old are forgotten, and activities of which nothing was heard for so long."""
STALE_AFTER_S = 300.0
"""Without a heartbeat for this long, who is registered may be gone."""

MAX_NAME_CHARS = 100
"""Of who sends and who gets a message, of a role, of the id of an activity."""
MAX_SUBJECT_CHARS = 500
MAX_DESCRIPTION_CHARS = 16_000
MAX_COMMENT_CHARS = 2_000
MAX_STEPS = 100
MAX_TITLE_CHARS = 200
"""Of an operation and of a step."""
MAX_ERROR_CHARS = 1_000
"""Of what is shown of an error; the message has it whole."""
