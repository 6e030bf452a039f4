"""The main job: `operatord demo` without a terminal, from a healthy cluster to a healthy cluster."""

import json
import subprocess
from pathlib import Path

from operatord.faults.undo_journal import read_owed

from .real_daemon import BIN


def test_the_story_walks_by_itself_and_leaves_nothing_behind(daemon_dir: Path) -> None:
    done = subprocess.run(
        [str(BIN / "operatord"), "demo", "--state-dir", str(daemon_dir / "s")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    summary = json.loads(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, f"{summary}\n{done.stderr}"
    assert summary["ok"] is True
    assert summary["role"] == "primary"
    assert summary["degraded_seen"] is True
    assert summary["ops"]["after"] >= 0.8 * summary["ops"]["baseline"]
    assert (summary["zombies"], summary["orphans"], summary["faults_owed"]) == (0, 0, 0)
    assert abs(summary["operations"]["difference"]) <= 0.02
    assert summary["diagnosis"]["component"] == summary["target"]
    assert len(summary["diagnosis"]["cited"]) >= 3
    assert len(summary["diagnosis"]["rejected"]) >= 2
    assert read_owed(daemon_dir / "s" / "undo.journal") == []
