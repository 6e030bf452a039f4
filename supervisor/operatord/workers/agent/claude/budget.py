"""What one investigation may use, and whether it goes round in circles."""

import json
from dataclasses import dataclass, field
from typing import Any

from operatord.clock import Clock
from operatord.workers.agent.claude.spending import Usage
from operatord.workers.agent.settings import AgentSettings

_FINAL_SHARE = 0.6
"""From this share of the time or the tokens on, the next call is told to answer."""
_MAX_REPEATS = 3


@dataclass
class Budget:
    """Time, calls and tokens of one ticket."""

    settings: AgentSettings
    clock: Clock
    began: float = 0.0
    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    repeats: int = 0
    _asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def left_s(self) -> float:
        """Until the deadline."""
        return self.settings.deadline_s - (self.clock() - self.began)

    def must_answer(self) -> str:
        """Why the next call is the last one; empty while there may be others."""
        if self.calls + 1 >= self.settings.max_calls:
            return "the calls are used up"
        if self.clock() - self.began >= _FINAL_SHARE * self.settings.deadline_s:
            return "the time is nearly over"
        if self.usage.total >= _FINAL_SHARE * self.settings.max_tokens:
            return "the tokens are nearly used up"
        if self.repeats >= _MAX_REPEATS:
            return "the same questions are asked again"
        return ""

    def exceeded(self) -> str:
        """Which budget is used up; empty while there is something left of each."""
        if self.calls >= self.settings.max_calls:
            return f"{self.calls} calls brought no answer"
        if self.usage.total >= self.settings.max_tokens:
            return f"{self.usage.total:,} of {self.settings.max_tokens:,} tokens brought no answer"
        return ""

    def is_repeat(self, name: str, args: dict[str, Any]) -> bool:
        """True when this very question was asked before; it is counted."""
        question = json.dumps([name, args], sort_keys=True, default=str)
        if question in self._asked:
            self.repeats += 1
            return True
        self._asked.add(question)
        return False
