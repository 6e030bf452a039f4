"""Writes the golden screens anew: ``python -m tests.clients.viewer.write_golden``. Never run by the tests.

Look at the difference before it is committed: it is what people will see.
"""

import os
import time

from tests.clients.viewer.golden_screens import DIRECTORY, screens


def main() -> None:
    """Write all of them, and remove those that are no more."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    DIRECTORY.mkdir(exist_ok=True)
    wanted = {f"{name}.txt": text for name, text in screens()}
    for path in DIRECTORY.glob("*.txt"):
        if path.name not in wanted:
            path.unlink()
            print(f"removed {path.name}")
    for name, text in wanted.items():
        path = DIRECTORY / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(name)


if __name__ == "__main__":
    main()
