"""The pace of a rehearsal, and the account of it."""

from dataclasses import replace

from tests.clients import bodies

from operator_clients.ctl.pace import LONGEST_S, LOOK_S, Course, pause_s


def test_a_pause_is_the_narration_read_aloud_and_a_look_divided_by_the_speed() -> None:
    chapter = bodies.chapter()
    assert pause_s(chapter, 1.0) > LOOK_S
    assert pause_s(chapter, 4.0) == pause_s(chapter, 1.0) / 4


def test_no_chapter_holds_up_a_rehearsal() -> None:
    long = replace(bodies.chapter(), narration="word " * 1000)
    assert pause_s(long, 1.0) == LONGEST_S


def test_each_chapter_is_told_with_its_time_and_its_pause_and_one_that_went_on_by_itself_too() -> None:
    course = Course()
    for index, now_s in ((0, 0.0), (0, 1.0), (1, 5.0), (2, 6.0)):
        course.be_in(bodies.chapter(index, title=f"C{index}"), now_s)
        if now_s == 1.0:
            course.pause(0, 3.0)
    course.pause(1, 0.4)  # it went on during the pause
    assert course.told(10.0) == [
        {"index": 0, "title": "C0", "took_s": 2.0, "paused_s": 3.0},
        {"index": 1, "title": "C1", "took_s": 0.6, "paused_s": 0.4},
        {"index": 2, "title": "C2", "took_s": 4.0, "paused_s": 0.0},
    ]
