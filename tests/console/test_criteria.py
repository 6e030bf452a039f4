"""Every acceptance criterion has a test, and the page about the console says which."""

from tests.console.criteria import STORIES, proven_by
from tests.console.criteria_page import PAGE, page
from tests.console.proofs import proofs


def test_every_clause_of_every_story_is_proven() -> None:
    known = proofs()
    clauses = [(story, clause) for story in STORIES for clause in story.clauses]
    assert not [f"{story.id}: {clause.text}" for story, clause in clauses if not proven_by(story, clause, known)]


def test_no_test_proves_a_story_that_there_is_not() -> None:
    assert {proof.story for proof in proofs()} <= {story.id for story in STORIES}


def test_the_page_has_the_tests_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.console.criteria_page"
