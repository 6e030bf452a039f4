"""``operatord doctor --subject tikv`` on a real engine."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.e2e.real_daemon import BIN
from tests.standins.engine import Engine

pytestmark = pytest.mark.soak


def test_on_a_host_with_an_engine_and_the_images_all_is_found(docker_engine: Engine, tmp_path: Path) -> None:
    directories = ["--runtime-dir", str(tmp_path / "r"), "--state-dir", str(tmp_path / "s")]
    words = [str(BIN / "operatord"), "doctor", "--subject", "tikv", "--json", *directories]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    found = {one["what"]: one for one in json.loads(done.stdout)["findings"]}
    for what in ("docker engine", "docker compose", "container ports", "container network", "images"):
        assert found[what]["verdict"] == "ok", found[what]
    assert "API 1." in found["docker engine"]["detail"]
    assert "GiB free" in found["docker disk"]["detail"]
