"""Experiment files: what is read from them, and that each mistake is told with its line and its key."""

import contextlib
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_clients.experiment.model import ExpectStep, FaultStep, RecoverStep, WaitStep
from operator_clients.experiment.reading import BadFile, parse_experiment, read_experiment
from operator_clients.experiment.shipped import experiment_file, names
from operator_protocol.toml_lines import lines_of

EXAMPLES = sorted((Path(__file__).parents[3] / "deploy" / "experiments").glob("*.toml"))
HOLD = '[[step]]\naction="hold"\nfor=1'
FAULT = '[[step]]\naction = "fault"\nkind = "kill"\n'


def test_there_are_three_worked_examples_and_no_mistake_in_them() -> None:
    assert [path.stem for path in EXAMPLES] == ["gray-failure", "kill-a-primary", "pause-a-replica"]
    for path in EXAMPLES:
        experiment = read_experiment(path)
        assert experiment.description
        assert experiment.steady_state is not None
        assert {type(step) for step in experiment.steps} >= {FaultStep, WaitStep, RecoverStep, ExpectStep}


def test_durations_are_numbers_of_seconds_or_texts() -> None:
    text = 'title = "x"\n[[step]]\naction = "hold"\nfor = "1m30s"\n[[step]]\naction = "hold"\nfor = 2.5\n'
    assert [step.for_s for step in parse_experiment(text, "f").steps] == [90.0, 2.5]  # type: ignore[union-attr]  # both


@pytest.mark.parametrize(
    ("text", "line", "key", "told"),
    [
        ("title = ", 1, "", "not TOML: Invalid value"),
        ('title = "x"\ntitle = "y"', 2, "", "not TOML: Cannot overwrite a value"),
        ('title = "x"\ndescriptn = ""\n[[step]]\naction="hold"\nfor=1', 2, "descriptn", "did you mean 'description'?"),
        ('title = "x"\n[load]\n[[step]]\naction="hold"\nfor=1', 2, "load.rate", "is missing"),
        ('[[step]]\naction="hold"\nfor=1', 1, "title", "is missing"),
        ('title = 7\n[[step]]\naction="hold"\nfor=1', 1, "title", "a text in quotes, not the number 7"),
        ('title = "x"', 1, "step", "is missing: an experiment without a step tries nothing"),
        ('title = "x"\nstep = 3', 2, "step", "each written [[step]]"),
        ('title = "x"\n[[step]]\naction = "hodl"', 3, "step[1].action", "did you mean 'hold'?"),
        ('title = "x"\n[[step]]\nname = "x"', 2, "step[1].action", "is missing"),
        ('title = "x"\n[[step]]\naction = "hold"\nfor = "soon"', 4, "step[1].for", "'soon' is not a duration like 10"),
        ('title = "x"\n[[step]]\naction = "hold"\nfor = -1', 4, "step[1].for", "is a duration"),
        (f'title = "x"\n{FAULT}countdown = 1.5', 5, "step[1].countdown", "has whole seconds"),
        (f'title = "x"\n{FAULT}params = {{ a = [1] }}', 5, "step[1].params.a", "is a plain value, not a list"),
        (f'title = "x"\n{FAULT}target = "$kill"', 5, "step[1].target", "there is no fault step before this one"),
        (f'title = "x"\n{FAULT}name = "target"', 5, "step[1].name", "'target' is reserved"),
        (f'title = "x"\n{FAULT}name = "A b"', 5, "step[1].name", "is not a name"),
        (f'title = "x"\n{FAULT}name = "k"\n{FAULT}name = "k"', 9, "step[2].name", "is taken by a step before"),
        ('title = "x"\n[[step]]\naction = "recover"', 3, "step[1].action", "no fault step before this one"),
        (f'title = "x"\n{FAULT}[[step]]\naction = "recover"\nfault = "k"', 7, "step[2].fault", "is named 'k'"),
        ('title = "x"\n[[step]]\naction = "wait"\nevent = "violation.open"', 4, "step[1].event", "unknown event"),
        (
            f'title = "x"\n{FAULT}[[step]]\naction = "wait"\nevent = "violation.opened"\nmatch = {{ node = "$x" }}',
            8,
            "step[2].match",
            "no fault step before this one is named 'x'",
        ),
        (
            'title = "x"\n[[step]]\naction = "wait"\nevent = "fault.injected"\nwithin = 5\ntimeout = 2',
            6,
            "step[1].timeout",
            "is shorter than the 5 s that are allowed",
        ),
        ('title = "x"\n[[step]]\naction = "restart"\nprocess = "A"', 4, "step[1].process", "'A' is not the name"),
        ('title = "x"\n[[step]]\naction = "load"\ndo = "rate"', 2, "step[1].rate", "is missing"),
        ('title = "x"\n[[step]]\naction = "expect"\nthat = []', 4, "step[1].that", "has no condition"),
        (
            'title = "x"\n[[step]]\naction = "expect"\nthat = [\n  "cluster.ok == true",\n  "cluster.oky == true",\n]',
            6,
            "step[1].that[2]",
            "did you mean cluster.ok?",
        ),
        (
            'title = "x"\n[steady_state]\nconditions = "violations == 0"\nwithin = 1\n[[step]]\naction="hold"\nfor=1',
            4,
            "steady_state.within",
            "is shorter than the 3 s that the conditions must hold",
        ),
        (
            'title = "x"\n[steady_state]\nconditions = ["node.$k.state == \'up\'"]\n[[step]]\naction="hold"\nfor=1',
            3,
            "steady_state.conditions",
            "no fault was injected yet",
        ),
        (
            'title = "x"\n[steady_state]\nconditions = [{ that = "faults == 0", tolerate = 3 }]\n' + HOLD,
            3,
            "steady_state.conditions[1].tolerate",
            "`during = true`",
        ),
        (
            'title = "x"\n[expect]\nmax_outage = true\n[[step]]\naction="hold"\nfor=1',
            3,
            "expect.max_outage",
            "not True",
        ),
        (
            'title = "x"\n[expect]\nlowest_throughput = "5 ms"\n[[step]]\naction="hold"\nfor=1',
            3,
            "expect.lowest_throughput",
            "5 ms is compared with what is measured in ops/s",
        ),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key(text: str, line: int, key: str, told: str) -> None:
    with pytest.raises(BadFile) as caught:
        parse_experiment(text, "f.toml")
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [(line, key)], caught.value
    assert told in caught.value.problems[0].message
    assert str(caught.value).startswith(f"f.toml:{line}: ")


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = 'titel = "x"\n[[step]]\naction = "wiat"\n[[step]]\naction = "hold"\nfro = 3\n'
    with pytest.raises(BadFile) as caught:
        parse_experiment(text, "f")
    told = [problem.key for problem in caught.value.problems]
    assert told == ["titel", "title", "step[1].action", "step[2].for", "step[2].fro"]


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot be read: No such file"):
        read_experiment(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"title = '\xff'")
    with pytest.raises(BadFile, match="is not UTF-8: byte 9"):
        read_experiment(tmp_path / "bytes.toml")


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [path, *(place for key, one in items for place in places(one, (*path, key)))]


TRICKY = """\
a = "x # no comment" # [not.a.table]
"quoted key".b = 'C:\\dir'
c = [ # comment ]
  "one, two",
  ["three]", { d = "}" , e = [1,
     2] }],
]
f = \"\"\"
[g]
h = 1 \\\"""
\"\"\"
[i.j]
k = 1979-05-27T07:32:00Z
[[l]]
[[l]]
m = '''
[n]'''
[l.o]
p = 1
[[l.q]]
r = +1.5e3
"""


@pytest.mark.parametrize("text", [TRICKY, *(path.read_text() for path in EXAMPLES)])
def test_every_place_of_a_document_has_the_line_on_which_it_is_written(text: str) -> None:
    found, lines = lines_of(text), text.splitlines()
    for place in places(tomllib.loads(text)):
        assert place in found, place
        name = next((part for part in reversed(place) if isinstance(part, str)), None)
        if place and isinstance(place[-1], str) and name is not None:
            assert re.search(re.escape(name), lines[found[place] - 1]), (place, lines[found[place] - 1])
    if text is TRICKY:
        assert (found["c", 0], found["c", 1, 1, "e", 1], found["l", 1], found["l", 1, "q", 0, "r"]) == (4, 6, 15, 21)


@given(st.sampled_from([path.read_text() for path in EXAMPLES]), st.data())
def test_a_damaged_file_is_read_or_its_mistakes_are_told(text: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(begin + 30, len(text))))
    filling = data.draw(st.text(alphabet="[]{}\"'=,.#\n $truek01", max_size=6))
    with contextlib.suppress(BadFile):
        parse_experiment(text[:begin] + filling + text[end:], "f")


def test_an_example_is_found_by_its_name_wherever_one_is() -> None:
    assert names() == [file.stem for file in EXAMPLES]
    assert [experiment_file(name).resolve() for name in names()] == EXAMPLES
    assert experiment_file("no-such-example") == Path("no-such-example")
    assert experiment_file("kill-a-primary.toml") == Path("kill-a-primary.toml"), "that is a file of one's own"
