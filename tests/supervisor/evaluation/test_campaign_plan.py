"""A campaign file is checked as a whole, and makes the same trials every time."""

from collections import Counter
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest, NoTarget, NotFound
from operator_protocol.models import FaultKind, FaultParam, Node
from operatord.evaluation.campaign import parse_campaign, read_campaign
from operatord.evaluation.plan import check_plan, choose_nodes, make_plan

from .trials import CAMPAIGN, campaign

PAGE = Path(__file__).parents[3] / "docs" / "evaluation.md"
NODES = [
    Node(f"valkey-{number}", "primary" if number < 3 else "replica", f"shard-{number % 3}", "127.0.0.1:1", "up")
    for number in range(6)
]


def test_a_campaign_makes_each_case_target_repeat_and_variant_once() -> None:
    plan = make_plan(campaign())
    assert [trial.number for trial in plan] == list(range(1, 23))
    counts = Counter((trial.case, trial.target, trial.variant) for trial in plan)
    assert counts == {
        **{("kill", target, variant): 3 for target in ("primary", "replica") for variant in ("rules", "nobody")},
        **{("two-at-once", "primary", variant): 3 for variant in ("rules", "nobody")},
        **{("control", "", variant): 2 for variant in ("rules", "nobody")},
    }
    assert {trial.case for trial in plan if trial.held_out} == {"two-at-once"}


def test_the_plan_depends_on_the_file_alone() -> None:
    assert make_plan(campaign()) == make_plan(campaign())
    other = make_plan(campaign(CAMPAIGN.replace("seed = 7", "seed = 8")))
    assert [trial.label for trial in other] != [trial.label for trial in make_plan(campaign())]


def test_variants_meet_the_same_nodes() -> None:
    plan = make_plan(campaign())
    pairs: dict[tuple[str, str, int], set[str]] = {}
    for trial in plan:
        chosen = " ".join(node.id for node in choose_nodes(trial, NODES))
        pairs.setdefault((trial.case, trial.target, trial.repeat), set()).add(chosen)
    assert {len(chosen) for chosen in pairs.values()} == {1}


def test_a_second_fault_goes_where_it_was_told_and_never_to_the_same_node() -> None:
    for trial in make_plan(campaign()):
        if trial.case == "two-at-once":
            first, second = choose_nodes(trial, NODES)
            assert (first.role, second.group == first.group) == ("primary", False)
    down = [Node(one.id, one.role, one.group, one.address, "down") for one in NODES]
    with pytest.raises(NoTarget, match="no node for kill"):
        choose_nodes(next(trial for trial in make_plan(campaign()) if trial.injections), down)


def test_what_a_subject_does_not_have_is_told_before_anything_is_done() -> None:
    plan = make_plan(campaign())
    pause = FaultKind("pause", "", "", [FaultParam("for", "")], missing="it is not root")
    with pytest.raises(BadRequest) as refusal:
        check_plan(plan, [pause], NODES)
    assert set(refusal.value.message.split("; ")) == {
        "kill: there is no fault 'kill'",
        "two-at-once: there is no fault 'kill'",
    }
    check_plan(plan, [FaultKind("kill", "", ""), FaultKind("pause", "", "")], NODES)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seed = 7", "", "seed: Field required"),
        ("seed = 7", "sead = 7\nseed = 7", "sead: there is no such key"),
        ('"process_paused"', '"gremlins"', "case[2].fault[2].causes[1]: Input should be 'process_killed'"),
        ('after = "2s"', 'after = "soon"', "case[2].fault[2].after: 'soon' is not a duration; write 30s"),
        ('name = "nobody"', 'name = "rules"', "variant: 'rules' is there twice"),
        ('"primary", "replica"', '"primary", "primary"', "case[1]: targets: 'primary' is there twice"),
        ('diagnoser = "none"', 'diagnoser = "none"\nautonomy = "execute"', "a baseline has no agent that could act"),
        ('diagnoser = "rules"', 'diagnoser = "rules"\nmodel = "m"', "model and effort are for the diagnoser claude"),
        ("trials = 3", "trials = 1000\n[limits]\nhealthy = -1", "limits.healthy: -1.0 is not a number of seconds"),
        (
            'kind = "kill", causes',
            'kind = "kill", target = "x", causes',
            "the first fault goes to the targets of the case",
        ),
        ('title = "Every fault"', 'title = "Every fault', "Illegal character"),
    ],
)
def test_a_mistake_in_a_campaign_is_named_with_its_key(old: str, new: str, says: str) -> None:
    assert CAMPAIGN.count(old) >= 1
    with pytest.raises(BadRequest) as refusal:
        campaign(CAMPAIGN.replace(old, new, 1))
    assert says in str(refusal.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(BadRequest) as refusal:
        campaign(CAMPAIGN.replace("seed = 7", "").replace('"process_paused"', '"gremlins"'))
    assert "seed: Field required; case[2].fault[2].causes[1]" in refusal.value.message


def test_a_campaign_that_would_never_end_is_refused() -> None:
    with pytest.raises(BadRequest, match="12004 trials; from 1 to 10000"):
        campaign(CAMPAIGN.replace("trials = 3", "trials = 1000").replace('"replica"]', '"replica", "a", "b", "c"]', 1))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot read"):
        read_campaign(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadRequest, match="is not UTF-8"):
        read_campaign(tmp_path / "binary.toml")


def test_the_example_of_the_page_is_a_campaign() -> None:
    example = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    assert make_plan(parse_campaign(example, "docs/evaluation.md"))
