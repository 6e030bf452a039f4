"""Lines out of pipes: cut, counted, shown whatever the bytes."""

import asyncio
import os
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operatord.processes.output import LineSplitter, OutputCapture, thin
from operatord.throttle import LineThrottle, OutputPolicy


def split(*pieces: bytes, max_bytes: int = 64 * 1024) -> list[str]:
    splitter = LineSplitter(max_bytes)
    return [line for piece in pieces for line in splitter.feed(piece)] + list(splitter.finish())


def test_lines_are_put_together_across_reads() -> None:
    assert split(b"one\ntw", b"o\n\nthree", b"", b"\r\nfour") == ["one", "two", "", "three", "four"]


def test_a_line_that_is_too_long_is_cut_and_the_next_one_is_whole() -> None:
    assert split(b"abcdefgh\nnext\n", max_bytes=4) == ["abcd", "next"]
    assert split(b"abcd\nnext\n", max_bytes=4) == ["abcd", "next"]
    assert split(b"abcde\n\n", max_bytes=4) == ["abcd", ""]
    assert split(*[b"abc"] * 10, b"\nnext", max_bytes=4) == ["abca", "next"]


def test_a_line_without_end_is_not_kept_in_memory() -> None:
    splitter = LineSplitter(1024)
    lines = [line for _ in range(1000) for line in splitter.feed(b"x" * 4096)]
    assert lines == ["x" * 1024]
    assert list(splitter.finish()) == []


def test_bytes_that_are_not_utf8_are_shown_with_a_replacement() -> None:
    assert split(b"caf\xe9 \xff\n") == ["caf\ufffd \ufffd"]
    assert split("naïve\n".encode()[:3], "naïve\n".encode()[3:]) == ["naïve"]


def test_a_character_is_not_torn_by_the_cut() -> None:
    assert split("aaa€\n".encode(), max_bytes=4) == ["aaa"]
    assert split(b"aa\xff\xff\xff\n", max_bytes=4) == ["aa\ufffd\ufffd"]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_where_the_reads_end_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    assert split(*(data[start:end] for start, end in pairwise(edges)), max_bytes=16) == split(data, max_bytes=16)


@given(st.lists(st.binary(max_size=3).filter(lambda line: b"\n" not in line)), st.integers(1, 5), st.integers(1, 5))
def test_a_thinned_read_keeps_its_first_and_last_lines_and_counts_the_others(
    lines: list[bytes], first: int, last: int
) -> None:
    data = b"\n".join(lines)
    head, skipped, tail = thin(data, first, last)
    ended = lines[:-1]  # what comes after the last newline is a part of a line
    if len(ended) <= first + last:
        assert (head, skipped, tail) == (data, 0, b"")
    else:
        assert head == b"".join(line + b"\n" for line in ended[:first])
        assert tail == b"\n".join([*ended[-last:], lines[-1]])
        assert skipped == len(ended) - first - last


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_then_a_steady_rate_and_what_was_dropped_is_counted() -> None:
    clock = Hand()
    throttle = LineThrottle(OutputPolicy(lines_per_s=8, burst_lines=3, queue_lines=2), clock)
    passed = [line for number in range(9) for line in throttle.offer("stdout", str(number))]
    assert [line.text for line in passed] == ["0", "1", "2"]
    assert throttle.wait_s == pytest.approx(0.125)
    clock.now += 0.125
    (line,) = throttle.release()
    assert (line.text, line.dropped) == ("7", 4)
    clock.now += 0.125
    (line,) = throttle.release()
    assert (line.text, line.dropped) == ("8", 0)
    assert throttle.wait_s is None


def test_tokens_do_not_pile_up_beyond_the_burst() -> None:
    clock = Hand()
    throttle = LineThrottle(OutputPolicy(lines_per_s=10, burst_lines=3, queue_lines=2), clock)
    clock.now += 1000
    assert sum(len(throttle.offer("stdout", "x")) for _ in range(9)) == 3


@given(st.lists(st.tuples(st.sampled_from(["offer", "release", "skip", "pass"]), st.integers(1, 30))))
def test_no_line_is_lost_without_being_counted(steps: list[tuple[str, int]]) -> None:
    clock = Hand()
    throttle = LineThrottle(OutputPolicy(lines_per_s=5, burst_lines=4, queue_lines=3), clock)
    offered = 0
    lines = []
    for what, amount in steps:
        if what == "offer":
            for _ in range(amount):
                lines += throttle.offer("stdout", str(offered))
                offered += 1
        elif what == "skip":
            throttle.skip(amount)
            offered += amount
        elif what == "release":
            lines += throttle.release()
        else:
            clock.now += amount / 10
    offered += 1
    lines += throttle.offer("stderr", "last words")
    lines += throttle.finish()
    assert lines[-1].text == "last words"
    assert len(lines) + sum(line.dropped for line in lines) == offered


async def captured(
    policy: OutputPolicy, write: list[tuple[str, bytes]], *, die: bool
) -> tuple[list[tuple[str, str, int]], OutputCapture]:
    """What a capture delivers of ``write``; the ends stay open unless ``die``."""
    seen: list[tuple[str, str, int]] = []
    pipes = {"stdout": os.pipe(), "stderr": os.pipe()}
    capture = OutputCapture(
        "ycsb",
        {stream: reading for stream, (reading, _) in pipes.items()},
        lambda _, stream, line, dropped: seen.append((stream, line, dropped)),
        policy,
        lambda: 0.0,
    )
    for stream, data in write:
        os.write(pipes[stream][1], data)
    if die:
        for _, writing in pipes.values():
            os.close(writing)
        async with asyncio.timeout(10):
            while not capture.closed:
                await asyncio.sleep(0.001)
    else:
        capture.drain()
        assert not capture.closed
        capture.close()
        for _, writing in pipes.values():
            os.close(writing)
    assert capture.closed
    return seen, capture


STINGY = OutputPolicy(lines_per_s=1, burst_lines=1, queue_lines=2)


@pytest.mark.parametrize("die", [True, False])
def test_the_last_lines_of_a_life_come_through_an_empty_bucket(die: bool) -> None:
    written = [("stdout", b"1\n2\n3\n4\n5\n6\n7\nthe cause, without a newline")]
    seen, capture = asyncio.run(captured(STINGY, written, die=die))
    assert seen[-1] == ("stdout", "the cause, without a newline", 0)
    assert [line for _, line, _ in seen] == ["1", "7", "the cause, without a newline"]
    assert sum(dropped for _, _, dropped in seen) == 5
    capture.close()


def test_both_streams_share_one_bucket_and_keep_their_names() -> None:
    written = [("stdout", b"out\n"), ("stderr", b"err\n")]
    seen, _ = asyncio.run(captured(OutputPolicy(), written, die=True))
    assert sorted(seen) == [("stderr", "err", 0), ("stdout", "out", 0)]


def test_what_waits_for_a_token_is_delivered_when_there_is_one() -> None:
    async def story() -> None:
        seen: list[str] = []
        reading, writing = os.pipe()
        loop = asyncio.get_running_loop()
        policy = OutputPolicy(lines_per_s=50, burst_lines=1, queue_lines=5)
        capture = OutputCapture(
            "ycsb", {"stdout": reading}, lambda _, __, line, ___: seen.append(line), policy, loop.time
        )
        os.write(writing, b"one\ntwo\nthree\n")
        async with asyncio.timeout(10):
            while len(seen) < 3:
                await asyncio.sleep(0.005)
        capture.close()
        os.close(writing)

    asyncio.run(story())
