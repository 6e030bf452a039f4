"""What the agent is configured with, as it travels to its worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Effort = Literal["low", "medium", "high", "xhigh", "max"]
Choice = Literal["auto", "rules", "claude"]

KEY_VARIABLE = "ANTHROPIC_API_KEY"  # the name that the library of the API reads, too


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens."""

    input: float = 2.0
    output: float = 10.0
    cache_read: float = 0.2
    cache_write: float = 2.5


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Section ``[agent]`` of the configuration, as far as the worker needs it; ``config.AgentSection`` checks it."""

    diagnoser: Choice = "auto"
    model: str = "claude-sonnet-5-5"
    effort: Effort = "medium"
    base_url: str = ""
    key_file: str = ""
    deadline_s: float = 60.0
    call_timeout_s: float = 45.0
    tool_timeout_s: float = 3.0
    max_calls: int = 8
    max_tokens: int = 60_000
    max_answer_tokens: int = 8_000
    daily_ceiling_usd: float = 5.0
    prices: Prices = field(default_factory=Prices)
    redact_addresses: bool = False
    backoff_s: float = 30.0
    ledger: str = ""
    """File in which the spending of the day is kept; empty for none."""
    actions: Mapping[str, str] = field(default_factory=dict)
    """Kinds of actions that the daemon can take, with their risk, besides those that the rules recommend."""
