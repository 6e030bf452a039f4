"""Bytes of a terminal to keys."""

import pytest

from operator_clients.viewer.keys import PASTED, Decoder


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b" ", "space"),
        (b"\r", "enter"),
        (b"\n", "enter"),
        (b"q", "q"),
        (b"?", "?"),
        (b"\x03", "ctrl+c"),
        (b"\x7f", "backspace"),
        (b"\x1b[C", "right"),
        (b"\x1bOC", "right"),
        (b"\x1b[D", "left"),
        (b"\x1b[A", "up"),
        (b"\x1b[5~", "pgup"),
        (b"\x1b[1;5C", "ctrl+right"),
        (b"\x1b[Z", "shift+tab"),
        (b"\x1bOM", "enter"),
        ("é".encode(), "é"),
        ("★".encode(), "★"),
    ],
)
def test_a_key_is_known_by_its_name(data: bytes, key: str) -> None:
    assert Decoder().feed(data) == [key]


def test_a_sequence_that_arrives_byte_by_byte_is_one_key() -> None:
    decoder = Decoder()
    assert [decoder.feed(bytes([byte])) for byte in b"\x1b[C"] == [[], [], ["right"]]
    assert not decoder.waiting


def test_a_character_that_arrives_in_halves_is_one_key() -> None:
    decoder = Decoder()
    assert decoder.feed("é".encode()[:1]) == []
    assert decoder.feed("é".encode()[1:]) == ["é"]


def test_an_escape_that_nothing_follows_is_the_escape_key() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.waiting
    assert decoder.flush() == ["esc"]
    assert not decoder.waiting


def test_an_escape_and_the_key_after_it_are_two_keys_though_they_arrive_together() -> None:
    assert Decoder().feed(b"\x1b2") == ["esc", "2"]
    assert Decoder().feed(b"\x1b\x1b:\r") == ["esc", "esc", ":", "enter"]


def test_a_sequence_that_is_never_completed_is_dropped() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b[1;") == []
    assert decoder.flush() == []
    assert decoder.feed(b"q") == ["q"]


@pytest.mark.parametrize("data", [b"\x1b[99~", b"\x1b[?1;2c", b"\x1b]", b"\x00", b"\xff", b"\x1b[" + b"1" * 40])
def test_what_has_no_name_is_swallowed_whole(data: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(data) == []
    decoder.flush()
    assert decoder.feed(b" ") == ["space"]


def test_keys_that_were_typed_ahead_come_in_order() -> None:
    assert Decoder().feed(b"f\x1b[D \x1b[Cr") == ["f", "left", "space", "right", "r"]


def test_two_escapes_are_two_keys() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b\x1b") + decoder.flush() == ["esc", "esc"]


@pytest.mark.parametrize("step", [1, 5, 100])
def test_what_is_pasted_is_one_text_and_no_keys(step: int) -> None:
    decoder, data = Decoder(), b"a\x1b[200~f\ry\x1b[A\xc3\xa9\x1b[201~q"
    keys = [key for at in range(0, len(data), step) for key in decoder.feed(data[at : at + step])]
    assert keys == ["a", f"{PASTED}f\ry\x1b[Aé", "q"]
    assert not decoder.waiting


def test_a_paste_whose_end_is_lost_does_not_swallow_the_keys_that_follow() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b[200~f\r") == []
    assert decoder.waiting
    assert decoder.flush() == [f"{PASTED}f\r"]
    assert decoder.feed(b"q") == ["q"]


def test_a_paste_without_end_takes_no_memory() -> None:
    decoder = Decoder()
    decoder.feed(b"\x1b[200~")
    for _ in range(100):
        decoder.feed(b"x" * 1000)
    assert len(decoder.flush()[0]) < 5_000
