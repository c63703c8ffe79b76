"""Put the scripts of examples/ into the pages that quote them: `quote_examples.py [--check] PAGE...`.

A page quotes a file by a comment with its path, ``<!-- examples/counts/reduce_INST_live_proc.py -->``, with a block of
code below it.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
QUOTE = re.compile(r"^<!-- (examples/\S+\.py) -->\n```python\n.*?^```$", re.MULTILINE | re.DOTALL)


def quoted(page: str) -> str:
    """Return the page with every quoted file as it is now."""

    def block(match: re.Match[str]) -> str:
        text = (ROOT / match[1]).read_text(encoding="utf-8")
        return f"<!-- {match[1]} -->\n```python\n{text.rstrip()}\n```"

    return QUOTE.sub(block, page)


def main(arguments: list[str]) -> int:
    stale = []
    for target in (Path(argument) for argument in arguments if argument != "--check"):
        text = target.read_text(encoding="utf-8")
        if text == quoted(text):
            continue
        stale.append(str(target))
        if "--check" not in arguments:
            target.write_text(quoted(text), encoding="utf-8")
    if stale and "--check" in arguments:
        print(f"{', '.join(stale)}: not as the examples are; run `make docs` and commit", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
