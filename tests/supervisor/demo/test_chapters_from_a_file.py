"""Stories in files: the shipped one is the built-in one, others are told, and each mistake is named with its line."""

from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_protocol.errors import BadRequest, NotFound, OperatorError
from operator_protocol.models import FaultKind, FaultParam
from operatord.demo.catalogue import load_catalogue
from operatord.demo.chapter import ENGLISH
from operatord.demo.chapters import BUILT_IN, CHAPTERS, check_faults, tell, words_of
from operatord.demo.figures import FIGURES
from operatord.demo.plan import TELLINGS, SignName, settled
from operatord.demo.reading import parse_story, read_story, shipped_stories, story_file
from operatord.demo.signs import SIGNS

from .stage import Stage, play

PAGE = (Path(__file__).parents[3] / "docs" / "demo.md").read_text()
A = '[[chapter]]\ntitle = "A"\nnarration = "a"\n'
B = '[[chapter]]\ntitle = "B"\nnarration = "b"\n'
BREAKS = '[[chapter]]\ntitle = "F"\nnarration = "f"\nenter = "fault"\n'
REPAIRS = '[[chapter]]\ntitle = "R"\nnarration = "r"\nenter = "recover"\n'


def parsed(text: str) -> str:
    """What is wrong with ``text``."""
    with pytest.raises(BadRequest) as refused:
        parse_story(text, "f.toml", load_catalogue())
    assert "docs/demo.md" in refused.value.hint
    return refused.value.message


def test_the_shipped_story_is_the_built_in_one() -> None:
    story = read_story(story_file("demo"), load_catalogue())
    words = words_of(ENGLISH)
    assert story.title == BUILT_IN.title
    for ours, built_in in zip(settled(story, words).chapter, settled(BUILT_IN, words).chapter, strict=True):
        assert ours == built_in
    data = [field.name for field in fields(CHAPTERS[0]) if field.name not in ("on_enter", "in_force", "undo")]
    data.remove("expectation")
    for chapter, known in zip(tell(story=story), CHAPTERS, strict=True):
        assert {name: getattr(chapter, name) for name in data} == {name: getattr(known, name) for name in data}


def test_the_shipped_stories_are_told_to_their_end(tmp_path: Path) -> None:
    assert shipped_stories() == ["demo", "two-acts"]
    story = read_story(story_file("two-acts"), load_catalogue())

    async def scenario(stage: Stage) -> None:
        last = await stage.at(len(story.chapter) - 1)
        assert last.expectation_met is True
        assert "(primary) was killed, and is back" in last.narration
        told = "\n".join(state.narration for state in stage.shown())
        assert "(replica) was frozen" in told
        assert "freezes in 3…" in told
        assert "dies in 1…" in told
        assert "90% sure" not in told
        assert stage.bench.topics().count("fault.injected") == 2

    stage = play(tmp_path, scenario, tell(story=story))
    for state in stage.shown():
        lines = state.narration.splitlines()
        assert 1 <= len(lines) <= 4
        assert all(0 < len(line) <= 70 for line in lines), state.narration


def test_signs_and_figures_are_the_documented_ones() -> None:
    assert set(get_args(SignName)) == set(SIGNS)
    for name in (*SIGNS, *FIGURES, *TELLINGS):
        assert f"`{name}`" in PAGE, name


def test_the_example_of_the_page_is_one() -> None:
    (example,) = (block.partition("```")[0] for block in PAGE.split("```toml\n")[1:])
    story = parse_story(A + example + REPAIRS, "page", load_catalogue())
    assert [case.when for case in story.chapter[1].narration] == [("counting-down",), ()]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title = ", "f.toml:1: not TOML: Invalid value"),
        ('title = "x"\n\ntitle = "y"\n', "f.toml:3: not TOML: Cannot overwrite a value"),
        ('title = "x"', "f.toml:1: chapter: it is missing"),
        (A, "f.toml:1: chapter: a story has at least 2 chapters, each written [[chapter]]"),
        ("chapter = 3", "f.toml:1: chapter: it is a list"),
        (f"{A}tilte = 3\n{B}", "f.toml:4: chapter[1].tilte: there is no such key; did you mean 'title'?"),
        (f'file = "x"\n{A}{B}', "f.toml:1: file: there is no such key"),
        (f'{A}[[chapter]]\nnarration = "x"', "f.toml:4: chapter[2]: it has no title"),
        (
            f'{A}[[chapter]]\ntitle = "a"\nnarration = "x"',
            "f.toml:5: chapter[2].title: chapter[1] is called 'a' already",
        ),
        (f'{A}[[chapter]]\ntitle = ""\nnarration = "x"', "f.toml:4: chapter[2]: it has no title"),
        (f'{A}[[chapter]]\ntitle = "x\\ny"\nnarration = "x"', "f.toml:5: chapter[2].title: it is one line"),
        (f'{A}[[chapter]]\ntitle = "B"', "f.toml:4: chapter[2].tell: a chapter has narration, or tell"),
        (f'{A}tell = "load"\n{B}', "f.toml:4: chapter[1].tell: a chapter has narration, or tell"),
        (f'{A}[[chapter]]\ntell = "lod"', "f.toml:5: chapter[2].tell: 'lod' is not one of welcome, "),
        (
            f'{A}[[chapter]]\ntitle = "B"\nnarration = "{{opps}}"',
            "f.toml:6: chapter[2].narration[1]: there is no figure",
        ),
        (f'{A}[[chapter]]\ntitle = "B"\nnarration = "{{ops"', "f.toml:6: chapter[2].narration[1]: "),
        (f'{A}[[chapter]]\ntitle = "B"\nnarration = "{{ops.real}}"', "f.toml:6: chapter[2].narration[1]: "),
        (f'{A}[[chapter]]\ntitle = "B"\nnarration = " "', "f.toml:6: chapter[2].narration[1]: it is empty"),
        (
            f'{A}[[chapter]]\ntitle = "B"\nnarration = [\n  {{ text = "a" }},\n  {{ text = "b" }},\n]',
            "f.toml:7: chapter[2].narration[1]: without a when it is always said",
        ),
        (
            f'{A}[[chapter]]\ntitle = "B"\nnarration = [\n  {{ when = "detected", text = "a" }},\n]',
            "f.toml:7: chapter[2].narration[1].when: the last text is said when no other fits",
        ),
        (f'{A}expect = "detectd"\n{B}', "did you mean 'detected'?"),
        (f'{A}expect = ["detected",\n  "nonsense"]\n{B}', "f.toml:5: chapter[1].expect[2]: 'nonsense' is not one of"),
        (f'{A}within = "soon"\n{B}', "f.toml:4: chapter[1].within: 'soon' is not a duration"),
        (f"{A}within = 0\n{B}", "f.toml:4: chapter[1].within: Input should be greater than 0"),
        (
            f'{A}enter = "falt"\n{B}',
            "f.toml:4: chapter[1].enter.do: 'falt' is not one of none, start-load, fault, recover",
        ),
        (
            f'{A}enter = {{ do = "none", kind = "kill" }}\n{B}',
            'f.toml:4: chapter[1].enter.kind: it belongs to do = "fault"',
        ),
        (f'{A}[chapter.enter]\ndo = "fault"\nagent_first = true\n{REPAIRS}', "f.toml:6: chapter[1].enter.agent_first"),
        (
            f'{A}[chapter.enter]\ndo = "fault"\nknd = "kill"\n{REPAIRS}',
            "f.toml:6: chapter[1].enter.knd: there is no such",
        ),
        (
            f'{A}[chapter.enter]\ndo = "fault"\nparams = {{ a = [1] }}\n{REPAIRS}',
            "f.toml:6: chapter[1].enter.params.a: it is a plain value",
        ),
        (f"{A}{BREAKS}countdown = 3\n{REPAIRS}", "f.toml:8: chapter[2].countdown: there is no such key"),
        (f"{A}{BREAKS}", "f.toml:7: chapter[2].enter: a later chapter has to recover what it breaks"),
        (
            f"{BREAKS}{BREAKS.replace('F', 'G')}{REPAIRS}",
            "f.toml:8: chapter[2].enter: what chapter[1] breaks has to be",
        ),
        (f'{A}{B}needs = ["A", "C"]', "f.toml:7: chapter[2].needs[2]: no earlier chapter is called 'C'"),
        (f'{A}needs = ["A"]\n{B}', "f.toml:4: chapter[1].needs[1]: no earlier chapter is called 'A'"),
        (f"{A}{B}auto_advance = 3", "f.toml:7: chapter[2].auto_advance: the last chapter has none to go on to"),
        (f'{A}blocks = "yes"\n{B}', "f.toml:4: chapter[1].blocks: it is true or false"),
        (f'{A}hint = "{"x" * 61}"\n{B}', "f.toml:4: chapter[1].hint: "),
    ],
)
def test_a_mistake_is_told_with_its_line_and_its_key(text: str, told: str) -> None:
    assert told in parsed(text)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines() -> None:
    message = parsed(f'{A}within = "soon"\nexpect = "x"\n{B}hnt = "y"')
    assert message.startswith("f.toml has 3 mistakes:\n  f.toml:4:")
    assert message.index("f.toml:4:") < message.index("f.toml:5:") < message.index("f.toml:9:")


def test_a_file_that_cannot_be_read_is_answered_with_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as refused:
        read_story(story_file(str(tmp_path / "x.toml")), load_catalogue())
    assert "demo, two-acts" in refused.value.hint
    with pytest.raises(NotFound):
        read_story(story_file("three-acts"), load_catalogue())
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'title = "\xe4"')
    with pytest.raises(BadRequest, match="not UTF-8: byte 9"):
        read_story(latin, load_catalogue())
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (1 << 21))
    with pytest.raises(BadRequest, match="over 1 MiB"):
        read_story(large, load_catalogue())


def test_a_fault_that_the_subject_does_not_have_is_told_with_its_line() -> None:
    known = {
        "kill": FaultKind("kill", "", "undo"),
        "cpu": FaultKind("cpu", "", "undo", [FaultParam("duty", "of it", 70, "%")]),
    }
    entry = 'enter = { do = "fault", kind = "KIND", params = { PARAMS } }\n'
    text = f'{A}[[chapter]]\ntitle = "F"\nnarration = "f"\n{entry}'

    def check(kind: str, params: str = "") -> None:
        story = parse_story(text.replace("KIND", kind).replace("PARAMS", params) + REPAIRS, "f.toml", load_catalogue())
        check_faults(story, "toy", "kill", known)

    check("kill")
    check("cpu", 'duty = "50%"')
    with pytest.raises(BadRequest, match=r"f.toml:7: chapter\[2\].enter: toy has no fault 'partition'") as refused:
        check("partition")
    assert "known: kill, cpu" in refused.value.hint
    with pytest.raises(BadRequest, match=r"f.toml:7: chapter\[2\].enter: cpu has no parameter 'load'"):
        check("cpu", "load = 1")


def test_what_is_nested_without_end_is_refused() -> None:
    assert parsed(f"a = {'[' * 5000}\n{A}") == "f.toml: it is nested too deeply"


def test_what_a_file_leaves_out_has_its_default() -> None:
    load = '[[chapter]]\ntitle = "L"\nnarration = "l"\nenter = "start-load"\n'
    seen = '[[chapter]]\ntitle = "D"\nnarration = "d"\nexpect = "detected"\n'
    story = parse_story(load + BREAKS + seen + REPAIRS + B, "f.toml", load_catalogue())
    first, fault, detection, repair, last = tell(story=story)
    assert (first.needs, fault.needs, detection.needs) == ((), ("L",), ("F",))
    assert [one.blocks_advance for one in (first, fault, detection, repair, last)] == [False, True, False, True, False]
    assert [one.holds_actions for one in (first, fault, detection, repair, last)] == [False, True, True, False, False]
    assert {one.key_hint for one in (first, fault, detection, repair, last)} == {"SPACE next · ← back"}
    assert fault.within_s == 30.0
    after = f'{B}expect = "detected"\n{B.replace("B", "C")}needs = ["f", "b"]\n'
    told = tell(story=parse_story(load + BREAKS + REPAIRS + after, "f.toml", load_catalogue()))
    assert [one.needs for one in told[-2:]] == [(), ("F", "B")]


@given(st.text(max_size=200))
def test_whatever_a_file_says_it_is_read_or_refused(text: str) -> None:
    for whole in (text, f"{A}{text}\n{B}", f'{A}narration = "{text}"\n{B}', f"{A}enter = {text}\n{B}"):
        try:
            parse_story(whole, "f.toml", load_catalogue())
        except OperatorError as error:
            assert error.message
