"""Writes the table of criteria and tests into docs/console.md: ``python -m tests.console.criteria_page``."""

from tests.console.criteria import STORIES, proven_by
from tests.console.proofs import ROOT, Proof, proofs

PAGE = ROOT / "docs" / "console.md"
BEGIN = "<!-- criteria: written by `python -m tests.console.criteria_page` -->"
END = "<!-- end of criteria -->"


def table() -> str:
    """The table, as Markdown."""
    known = proofs()
    lines = ["| | criterion | proven by |", "|---|---|---|"]
    for story in STORIES:
        first = f"**{story.id}** {story.title}" if story.id.startswith("US") else f"**{story.id}**"
        proven: set[Proof] = set()
        for number, clause in enumerate(story.clauses):
            found = proven_by(story, clause, known)
            proven.update(found)
            lines.append(f"| {'' if number else first} | {clause.text} | {_told(found)} |")
        if more := [one for one in known if one.story == story.id and one not in proven]:
            lines.append(f"| | beyond that | {_told(more)} |")
    return "\n".join(lines)


def page() -> str:
    """The whole page with the table as it is now."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _told(found: list[Proof]) -> str:
    by_file: dict[str, list[str]] = {}
    for proof in found:
        names = by_file.setdefault(proof.file, [])
        name = proof.test.replace("|", "\\|")
        if name not in names:
            names.append(name)
    told = []
    for file, names in by_file.items():
        shown = "; ".join(f"`{name}`" if name.startswith("test_") else name for name in names)
        told.append(f"[{file.rpartition('/')[2]}](../{file}): {shown}")
    return "<br>".join(told)


def main() -> None:
    """Write it."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
