"""docs/subjects/tikv.md has every option of the subject, with its default, and none that there is not."""

import re
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest
from operator_protocol.models import Scalar
from operatord.subjects.base import Acting, Outliving
from operatord.subjects.tikv.options import Options, split
from operatord.subjects.tikv.settings import Settings
from operatord.workers.docker import watching, worker

PAGE = (Path(__file__).parents[3] / "docs" / "subjects" / "tikv.md").read_text()


def shown(default: Scalar) -> str:
    if default == "":
        return "empty"
    return f"`{default}`" if isinstance(default, str) else f"{default:g}"


def test_every_option_is_on_the_page_with_its_default_and_a_word_on_it() -> None:
    section = PAGE.partition("\n## Options\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.+) \|$", section, re.MULTILINE)
    known = {**Options().to_options(), **Settings().to_options()}
    assert [(name, default) for name, default, _ in rows] == [(name, shown(value)) for name, value in known.items()]
    assert all(len(word) > 10 for *_, word in rows)


@pytest.mark.parametrize(
    "name", [watching.CONTAINER_STATE, worker.CONTAINER_PROGRESS, Acting.__name__, Outliving.__name__]
)
def test_what_this_subject_has_of_its_own_is_explained(name: str) -> None:
    assert f"**`{name}`**" in PAGE


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"p99": 1}, "subject.tikv has no option"),
        ({"pd": "ftp://a"}, "is no URL of a server"),
        ({"pd": "http://a/pd"}, "has more than a host and a port"),
        ({"pd": "http://a,https://b"}, "subject.tikv.pd mixes http and https"),
        ({"pd": "http://a", "tls_ca": "b"}, "says http, and tls_ca or tls_cert is set"),
        ({"allow_faults_on": "all"}, "subject.tikv.allow_faults_on: 'all' is not the id of a cluster"),
    ],
)
def test_what_the_page_says_of_bad_options_is_what_is_said(options: dict[str, Scalar], said: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(said)):
        split(options)
    assert said in PAGE
