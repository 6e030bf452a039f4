"""Where a report goes: three files of one name, ``.json``, ``.md`` and ``.svg``."""

import json
import os
import time
from pathlib import Path
from typing import NamedTuple

from operator_clients.ctl.exits import Usage
from operator_clients.experiment.chart import Chart
from operator_clients.experiment.document import Document
from operator_clients.experiment.markdown import render
from operator_clients.experiment.plot import draw
from operator_protocol.errors import Unavailable

_ENDINGS = (".json", ".md")


class Files(NamedTuple):
    """Paths of one report."""

    json: Path
    markdown: Path
    plot: Path
    chosen: Path
    """The one to tell of."""


def choose_files(report: str, experiment_file: str, now: float) -> Files:
    """The paths for ``--report``; checked before the run, so that it is not the last step that fails.

    A path that ends in ``.json`` or ``.md`` is that file, with the others beside it. Anything else is a directory,
    made if it is not there, for files with the experiment's name and the time. Raises ``Usage``.
    """
    path = Path(report)
    if path.suffix in _ENDINGS and not path.is_dir():
        directory, stem, ending = path.parent, path.stem, path.suffix
    else:
        directory, ending = path, ".md"
        stem = f"{Path(experiment_file).stem}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Usage(f"--report {report}: {error.strerror or error}") from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise Usage(f"--report {report}: cannot write into {directory}")
    files = {suffix: directory / f"{stem}{suffix}" for suffix in (".json", ".md", ".svg")}
    return Files(files[".json"], files[".md"], files[".svg"], files[ending])


def write_report(files: Files, document: Document, chart: Chart) -> None:
    """Write all three. Raises ``Unavailable``."""
    texts = {
        files.plot: draw(chart),
        files.json: json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n",
        files.markdown: render(document, chart, files.plot.name),
    }
    try:
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"cannot write the report to {error.filename}: {error.strerror}") from error
