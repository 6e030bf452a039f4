"""The journal on a disk that is full, and has room again."""

import json
import subprocess
import sys
from pathlib import Path

from operator_protocol.recording import Recording
from operator_protocol.replay import Replay

PROGRAM = """
import json, resource, sys
from pathlib import Path
from operator_protocol.codec import pack
from operator_protocol.frames import Header
from operatord.bus.journal import Journal

def parts(seq, topic, body):
    return [topic.encode(), pack(list(Header(1, "boot", seq, seq, 100.0 + seq, float(seq), "test"))), pack(body)]

def checkpoint(seq):
    return parts(seq, "journal.checkpoint", {"boot_id": "boot", "seq": seq, "topic_seqs": {}, "state": {}, "tails": []})

directory, told, now = Path(sys.argv[1]), [], [0.0]
journal = Journal(directory, max_bytes=1 << 20, keep_files=9, on_error=told.append, clock=lambda: now[0])
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
journal.begin(checkpoint(0))
for seq in range(1, 101):
    if seq == 40:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    if seq == 80:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.append(parts(seq, "x", {"text": "y" * 50}))
    if journal.full:
        journal.begin(checkpoint(seq))
    journal.flush()
    now[0] += 1.0
journal.close()
print(json.dumps(told))
"""


def test_it_says_that_it_stopped_and_goes_on_in_a_file_that_can_be_read(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    told = json.loads(done.stdout)
    assert len(told) == 2
    assert "stopped: File too large" in told[0]
    assert "goes on, in a new file" in told[1]
    with Recording.open(tmp_path) as recording:
        replay = Replay(recording, paused=True, at_s=recording.duration_s)
        assert replay.seq == 100
