"""What a look has gathered before it is judged: PD's word, and of each server what is known from all sides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from operatord.subjects.tikv.pd.models import Member, RegionStats, Store
from operatord.subjects.tikv.status import Contact
from operatord.subjects.tikv.views import UNASKED, UNTOLD, Container, Reach

Leadership = Literal["led", "none", "unknown"]
"""``none``: PD, or what is left of it, is there and nobody leads it; ``unknown``: nothing of PD could be reached."""


@dataclass(frozen=True, slots=True)
class Directory:
    """What PD said in this look. ``trouble`` is empty when it said everything that is asked every time."""

    leadership: Leadership
    trouble: str = ""
    leader: str = ""
    """Name of the PD that leads."""
    bootstrapped: bool = True
    stats: RegionStats | None = None
    problems: Mapping[str, int] | None = None
    """Regions by problem (``miss-peer``, ``down-peer``, ``pending-peer``); None where it is not known."""

    @property
    def known(self) -> bool:
        """Whether anything can be said of the cluster."""
        return not self.trouble


@dataclass(frozen=True, slots=True)
class Scrape:
    """What Prometheus told last."""

    configured: bool = False
    silent_for_s: float = 0.0
    """Seconds since it answered; since it was asked first, if it never did."""
    trouble: str = ""
    fresh: bool = False
    """Whether its figures are new enough to be used."""
    empty_for_s: float = 0.0
    """For how long it has answered, and told nothing of any server that is looked at."""


@dataclass(frozen=True, slots=True)
class PDSeen:
    """One PD."""

    id: str
    address: str
    reach: Reach = UNASKED
    container: Container = UNTOLD
    member: Member | None = None
    healthy: bool | None = None
    """As another PD says."""
    leads: bool | None = None
    scrape_age_s: float | None = None


@dataclass(frozen=True, slots=True)
class StoreSeen:
    """One store."""

    id: str
    address: str
    store: Store | None = None
    """As PD has it now; None when PD does not know it, or says nothing."""
    unknown_to_pd: bool = False
    """PD answered and has no such store."""
    store_id: int | None = None
    """As PD had it last."""
    reach: Reach = UNASKED
    data: Contact = "unasked"
    data_silent_for_s: float = 0.0
    container: Container = UNTOLD
    beats: bool = False
    """PD heard from it since it fell silent to us."""
    heartbeat_age_s: float | None = None
    evicting: bool | None = False
    """None when PD did not say."""
    draining_still_s: float | None = None
    """While it is being drained: seconds since it lost a region last."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """From Prometheus, by the name of the query; what is not there is not known."""
    scrape_age_s: float | None = None
