"""Write the generated pages of docs/, or with --check say which are not what would be written: `pages.py [--check]`."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import algorithm_reference
import config_reference
import quote_examples

DOCS = Path(__file__).parents[1] / "docs"
PAGES: Mapping[Path, Callable[[str], str]] = {
    DOCS / "reference" / "config.md": lambda _: config_reference.page(),
    DOCS / "reference" / "algorithms.md": lambda _: algorithm_reference.page(),
    DOCS / "how-to" / "examples.md": quote_examples.quoted,
}
"""Each page, and what becomes of its text."""


def main(arguments: list[str], pages: Mapping[Path, Callable[[str], str]] = PAGES) -> int:
    stale = []
    for path, renewed in pages.items():
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if (new := renewed(text)) != text:
            stale.append(str(path))
            if "--check" not in arguments:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(new, encoding="utf-8")
    if stale and "--check" in arguments:
        print(f"{', '.join(stale)}: not what would be written; run `make docs` and commit", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
