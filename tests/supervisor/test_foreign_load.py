"""Loads that the configuration names: a command, or a file that is followed."""

import asyncio
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest
from operator_protocol.models import WorkloadSample
from operator_protocol.records import from_body, to_body
from operatord.config import Config, load_config
from operatord.foreign_load import foreign_load
from operatord.workers.ycsb.worker import LoadWorker


def configured(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "c.toml"
    file.write_text(text)
    return load_config(str(file))


def test_a_command_is_split_as_a_shell_would_and_read_as_whatever_it_is(tmp_path: Path) -> None:
    section = configured(tmp_path, "[workload]\ncommand = \"bin/ycsb.sh run basic -p 'a=b c'\"\n").workload
    source = foreign_load(section)
    assert source is not None
    assert source.command == ["bin/ycsb.sh", "run", "basic", "-p", "a=b c"]
    assert (source.line_format, source.passive, source.rate) == ("any", False, 0.0)
    assert "bin/ycsb.sh run basic" in source.description


def test_without_either_the_subject_brings_its_own(tmp_path: Path) -> None:
    assert foreign_load(configured(tmp_path, "").workload) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('command = "it\'s"', "workload.command: No closing quotation"),
        ("command = [1]", "workload.command.0"),
        ('command = "a"\nfollow = "b"', "workload.follow: there is a command already"),
        ("follow = 1", "workload.follow"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        configured(tmp_path, f"[workload]\n{text}\n")


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    text = '[workload]\nfollow = "load.log"\n[subject.tikv]\ntls_ca = "ca.pem"\ntls_cert = "/a/cert.pem"\n'
    config = configured(tmp_path, text)
    assert config.workload.follow == str(tmp_path / "load.log")
    assert config.subject.tikv["tls_ca"] == str(tmp_path / "ca.pem")
    assert config.subject.tikv["tls_cert"] == "/a/cert.pem"
    # On its way to the daemon, which was started elsewhere, it stays what it is.
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_a_file_is_followed_from_now_on_also_one_that_is_not_there_yet(tmp_path: Path) -> None:
    report = tmp_path / "load.log"
    source = foreign_load(configured(tmp_path, '[workload]\nfollow = "load.log"\n').workload)
    assert source is not None
    assert source.passive
    samples: list[WorkloadSample] = []

    async def story() -> None:
        worker = LoadWorker(lambda _topic, body: samples.append(from_body(WorkloadSample, body)), lambda _line: None)
        try:
            # Returns with its first word, which is that the file is not there yet.
            await worker.start({"source": to_body(source), "rate": None})
            with report.open("a") as written:
                for second in range(1, 4):
                    written.write(f"x {second} sec: {second * 70} operations; 70 current ops/sec; [READ: Count=70]\n")
                    written.flush()
                    async with asyncio.timeout(20):
                        while len(samples) < second:
                            await asyncio.sleep(0.02)
        finally:
            await worker.close()

    asyncio.run(story())
    assert [sample.ops_per_sec for sample in samples] == [70, 70, 70]
