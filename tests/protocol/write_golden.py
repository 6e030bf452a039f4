"""Writes the golden files that are missing: ``python -m tests.protocol.write_golden``. Never run by the tests.

Those that are there stay as they are: they are what an older peer says.
"""

import msgpack
from tests.protocol import golden_cases as cases
from tests.protocol.golden_files import DIRECTORY, SUFFIX, render


def messages() -> dict[str, list[bytes]]:
    """File name to the parts of the message, straight from msgpack: none of our encoders is asked."""
    pack = msgpack.packb
    found: dict[str, list[bytes]] = {}
    for name, (topic, said) in cases.FRAMES.items():
        found[f"frame.{name}"] = [topic.encode(), pack(list(cases.HEADER)), pack(cases.body_of(said))]
    for name, record in cases.RECORDS.items():
        found[f"record.{name}"] = [pack(cases.body_of(record))]
    for name, (cmd, args) in cases.COMMANDS.items():
        found[f"command.{name}"] = [pack(cases.command_map(cmd, args))]
    for name, result in cases.RESULTS.items():
        found[f"reply.{name}"] = [pack(cases.reply_map(result))]
    for code, error in cases.ERRORS.items():
        found[f"error.{code}"] = [pack(cases.reply_map(None, error))]
    return found


def main() -> None:
    """Write what is missing."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, parts in messages().items():
        path = DIRECTORY / f"{name}{SUFFIX}"
        if not path.exists():
            path.write_text(render(parts), encoding="utf-8")
            print(path.name)


if __name__ == "__main__":
    main()
