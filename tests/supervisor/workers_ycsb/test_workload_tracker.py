"""What the tracker takes for normal, and what for degraded."""

import pytest

from operatord.workers.ycsb.tracker import WorkloadTracker


def fed(*samples: float) -> WorkloadTracker:
    tracker = WorkloadTracker()
    for sample in samples:
        tracker.update(sample)
    return tracker


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2017-05-20 18:55:44:512 10 sec: 376385 operations; 37634.74 current ops/sec; est completion", 37634.74),
        ("10 sec: 20000 operations; 2000 current ops/sec; [READ: Count=1]", 2000.0),
        ("0 current ops/sec", 0.0),
        ("0 sec: 0 operations; est completion in 106751991167300 days 15 hours ", None),
        ("", None),
        ("current ops/sec", None),
    ],
)
def test_the_current_rate_is_read_from_a_status_line(line: str, expected: float | None) -> None:
    assert WorkloadTracker().parse_line(line) == expected


def test_there_is_no_baseline_and_no_degradation_before_five_samples() -> None:
    tracker = fed(100, 100, 100, 0)
    assert (tracker.baseline, tracker.threshold, tracker.is_degraded()) == (None, None, False)


def test_the_baseline_is_the_mean_of_the_first_five_samples_and_stays() -> None:
    tracker = fed(100, 110, 90, 105, 95, 500, 500, 500)
    assert (tracker.baseline, tracker.threshold) == (100, 50)


def test_degraded_means_below_the_threshold_and_ends_with_it() -> None:
    tracker = fed(100, 100, 100, 100, 100)
    verdicts = []
    for sample in (50, 49.9, 0, 50.1):
        tracker.update(sample)
        verdicts.append(tracker.is_degraded())
    assert verdicts == [False, True, True, False]


def test_threshold_and_window_can_be_chosen() -> None:
    tracker = WorkloadTracker(window_size=3, degradation_threshold=0.8)
    for sample in (100, 100, 100, 100, 100, 79):
        tracker.update(sample)
    assert tracker.threshold == 80
    assert tracker.is_degraded()
    assert list(tracker.samples) == [100, 100, 79]
    assert tracker.current == 79


def test_the_default_window_holds_thirty_samples() -> None:
    assert len(fed(*range(1, 50)).samples) == 30


def test_a_tracker_without_samples_knows_nothing() -> None:
    tracker = WorkloadTracker()
    assert (tracker.current, tracker.samples, tracker.is_degraded()) == (None, (), False)
