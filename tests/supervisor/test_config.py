"""The configuration: the example shows everything, and a wrong key is named."""

import tomllib
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest, NotFound
from operatord.config import Config, load_config
from operatord.subjects.tikv.options import Options as TiKVOptions
from operatord.subjects.tikv.settings import Settings as TiKVSettings
from operatord.subjects.valkey.settings import Settings

_EXAMPLE = Path(__file__).parents[2] / "deploy" / "operatord.example.toml"


def test_the_example_shows_every_key_with_its_default() -> None:
    shown = tomllib.loads(_EXAMPLE.read_text())
    defaults = Config().model_dump()
    options = {key: value for key, value in Settings().to_options().items() if not key.startswith("workload_")}
    defaults["subject"]["valkey"] = options
    defaults["subject"]["tikv"] = {**TiKVOptions().to_options(), **TiKVSettings().to_options()}
    assert shown == defaults


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[workload]\nrate = 'fast'", "workload.rate"),
        ("[workload]\nrate = -1.0", "workload.rate"),
        ("[workload]\nspeed = 1", "workload.speed: there is no such key"),
        ("[wrokload]\nrate = 1.0", "wrokload: there is no such key"),
        ("[subject.valkey]\np99_ms = 'x'", "p99_ms"),
        ("[subject.valkey]\nports = 1", "ports"),
        ("[subject.valkey]\nworkload_rate = 5.0", r"\[workload\]"),
        ("[subject.tikv]\np99_ms = 'x'", "p99_ms"),
        ("[subject.tikv]\nports = 1", "ports"),
        ("[subject.tikv]\nbase_port = 80", "base_port"),
        ("[subject.tikv]\nallow_faults_on = 'all'", "id of a cluster"),
        ("[subject.tikv]\nworkload_rate = 5.0", r"\[workload\]"),
        ("[monitor]\ninterval_s = 0.01", "monitor.interval_s"),
        ("[workload\nrate = 1", "line 1"),
    ],
)
def test_a_broken_file_is_refused_with_the_line_or_the_key(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(BadRequest, match=named) as refused:
        load_config(str(file))
    assert str(file) in refused.value.message
    assert refused.value.hint


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nowhere\.toml"):
        load_config(str(tmp_path / "nowhere.toml"))


def test_no_file_is_all_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_config(None) == Config()
    (tmp_path / "operatord").mkdir()
    (tmp_path / "operatord" / "operatord.toml").write_text("[workload]\nthreads = 3\n")
    assert load_config(None).workload.threads == 3


def test_the_story_and_its_language_are_files_beside_the_configuration_or_shipped(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[demo]\nchapters = "talk.toml"\nlanguage = "de.toml"\n')
    demo = load_config(str(file)).demo
    assert (demo.chapters, demo.language) == (str(tmp_path / "talk.toml"), str(tmp_path / "de.toml"))
    file.write_text('[demo]\nchapters = "two-acts"\nlanguage = "en"\n')
    demo = load_config(str(file)).demo
    assert (demo.chapters, demo.language) == ("two-acts", "en")
