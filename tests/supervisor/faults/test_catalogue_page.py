"""The page of the faults says what the catalogue says."""

import re

from tests.supervisor.faults.catalogue_page import PAGE, kinds, render, shown


def test_the_page_has_the_catalogue_as_it_is() -> None:
    assert shown() == render(), "write it anew: python -m tests.supervisor.faults.catalogue_page"


def test_every_kind_says_what_it_does_and_how_it_is_undone_in_words_that_make_sentences() -> None:
    for kind in kinds():
        assert kind.description, kind.name
        assert kind.undone_by, kind.name
        for text in (kind.description, kind.undone_by, kind.needs, *(param.meaning for param in kind.params)):
            assert not text.endswith("."), f"{kind.name}: {text!r} ends with a dot, which is added where it is shown"
        for param in kind.params:
            assert re.fullmatch(r"[a-z][a-z_]*", param.name), f"{kind.name}: {param.name}"
            assert param.choices == [] or param.default in param.choices


def test_the_table_at_the_top_names_every_kind() -> None:
    head = PAGE.read_text(encoding="utf-8").partition("<!-- catalogue: begin -->")[0]
    for kind in kinds():
        assert f"`{kind.name}`" in head, kind.name
