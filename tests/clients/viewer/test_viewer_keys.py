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
    assert decoder.patience_s is None


def test_a_character_that_arrives_in_halves_is_one_key() -> None:
    decoder = Decoder()
    assert decoder.feed("é".encode()[:1]) == []
    assert decoder.feed("é".encode()[1:]) == ["é"]


def test_an_escape_that_nothing_follows_is_the_escape_key() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.patience_s
    assert decoder.flush() == ["esc"]
    assert decoder.patience_s is None


def test_an_escape_and_the_key_after_it_are_two_keys_though_they_arrive_together() -> None:
    assert Decoder().feed(b"\x1b2") == ["esc", "2"]
    assert Decoder().feed(b"\x1b\x1b:\r") == ["esc", "esc", ":", "enter"]


def test_a_sequence_that_is_never_completed_is_dropped() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b[1;") == []
    assert decoder.flush() == []
    assert decoder.feed(b"q") == ["q"]


@pytest.mark.parametrize(
    "data",
    [
        *(b"\x1b[99~", b"\x1b[?1;2c", b"\x1b]", b"\x00", b"\xff", b"\x1b[" + b"1" * 40),
        # What a terminal answers to the program before us, over a slow line; clicks that it had asked for; F1.
        *(b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\", b"\x1b]11;rgb:0/0/0\x07", b"\x1bP>|a terminal\x1b\\", b"\x1b]11;r"),
        *(b"\x1b[M !!", b"\x1b[<0;10;10M", b"\x1b[[A"),
    ],
)
def test_what_has_no_name_is_swallowed_whole(data: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(data) == []
    decoder.flush()
    assert decoder.feed(b" ") == ["space"]


def test_a_string_of_the_terminal_that_never_ends_takes_no_memory_and_no_keys_after_it() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b]" + b"\xff" * 1_024) == []
    assert decoder.feed(b"q") == ["q"]


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
    assert decoder.patience_s is None


def test_the_rest_of_a_paste_is_waited_for_longer_than_that_of_a_key() -> None:
    decoder = Decoder()
    decoder.feed(b"\x1b")
    key_s = decoder.patience_s
    decoder.feed(b"[200~f\r")
    assert key_s is not None
    assert decoder.patience_s is not None
    assert decoder.patience_s >= 10 * key_s


def test_a_paste_whose_end_is_lost_does_not_swallow_the_keys_that_follow() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b[200~f\r") == []
    assert decoder.patience_s
    assert decoder.flush() == [f"{PASTED}f\r"]
    assert decoder.feed(b"q") == ["q"]


def test_a_paste_without_end_takes_no_memory() -> None:
    decoder = Decoder()
    decoder.feed(b"\x1b[200~")
    for _ in range(100):
        decoder.feed(b"x" * 1000)
    assert len(decoder.flush()[0]) < 5_000
