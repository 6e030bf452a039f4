"""Citations: nothing is claimed of evidence that is not there."""

import re
from dataclasses import dataclass

from operator_protocol.models import Diagnosis

_CITATION = re.compile(r"\[(\d+(?:, ?\d+)*)\]")


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """What is wrong with the citations of a diagnosis."""

    unknown: list[int]
    """Numbers that no item of evidence has."""
    uncited_alternatives: list[str]
    """Causes that were rejected without naming an item."""

    @property
    def sound(self) -> bool:
        """True when there is nothing wrong."""
        return not self.unknown and not self.uncited_alternatives


def check_citations(diagnosis: Diagnosis) -> CitationCheck:
    """Compare every number that ``diagnosis`` cites, in its prose too, with the evidence that it carries."""
    known = {item.id for item in diagnosis.evidence}
    prose = [diagnosis.summary, diagnosis.explanation, diagnosis.blast_radius, *diagnosis.timeline]
    cited = {
        *diagnosis.cited,
        *(number for rival in diagnosis.alternatives for number in rival.evidence),
        *(number for one in diagnosis.hypotheses for number in one.evidence),
        *(int(number) for text in prose for group in _CITATION.findall(text) for number in group.split(",")),
    }
    return CitationCheck(
        unknown=sorted(cited - known),
        uncited_alternatives=[rival.cause for rival in diagnosis.alternatives if not rival.evidence],
    )
