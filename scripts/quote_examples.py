"""Put the scripts of examples/ into the pages that quote them.

A page quotes a file by a comment with its path, ``<!-- examples/counts/reduce_INST_live_proc.py -->``, with a block of
code below it.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
QUOTE = re.compile(r"^<!-- (examples/\S+\.py) -->\n```python\n.*?^```$", re.MULTILINE | re.DOTALL)


def quoted(page: str) -> str:
    """Return the page with every quoted file as it is now."""

    def block(match: re.Match[str]) -> str:
        text = (ROOT / match[1]).read_text(encoding="utf-8")
        return f"<!-- {match[1]} -->\n```python\n{text.rstrip()}\n```"

    return QUOTE.sub(block, page)
