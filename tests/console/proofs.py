"""Which tests say that they prove a criterion: markers of pytest, and tags in the names of the tests of the pages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "clients" / "web-ui" / "src"
_TAG = re.compile(r"\[(US-\d\d|defect-\d+)\]")
_NAMED = re.compile(r"""^\s*(?:test|it)(?:\.\w+)*(?:\(.*\))?\(\s*(["'`])(.+?)\1,""", re.MULTILINE)
"""Each name stands on one line; Prettier keeps it there."""


class Proof(NamedTuple):
    """One test that proves something of one story or defect."""

    story: str
    """``US-01``, ``defect-1``."""
    text: str
    """What it proves, in words."""
    file: str
    """Relative to the root of the repository."""
    test: str


def proofs() -> list[Proof]:
    """All of them, in the order of files and lines."""
    return [*_of_pytest(), *_of_pages()]


def _of_pytest() -> Iterator[Proof]:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if "criterion(" not in source:
            continue
        module = ast.parse(source)
        of_module = [
            marker
            for node in module.body
            if isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)
            for marker in _markers(node.value)
        ]
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                own = [marker for decorator in node.decorator_list for marker in _markers(decorator)]
                for story, text in (*of_module, *own):
                    yield Proof(story, text, str(path.relative_to(ROOT)), node.name)


def _markers(node: ast.expr) -> Iterator[tuple[str, str]]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "criterion":
            story, text = (ast.literal_eval(argument) for argument in call.args)
            yield str(story), str(text)


def _of_pages() -> Iterator[Proof]:
    for path in sorted([*PAGES.rglob("*.test.ts"), *PAGES.rglob("*.test.tsx")]):
        for found in _NAMED.finditer(path.read_text(encoding="utf-8")):
            name = found[2]
            text = _TAG.sub("", name).strip()
            for story in _TAG.findall(name):
                yield Proof(story, text, str(path.relative_to(ROOT)), text)
