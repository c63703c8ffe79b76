"""The accounts of finished runs on disk, for the ledger of later processes.

One JSON line for each run that is over, and one at each transition for all that lay between runs until then. They are
written before the transition is noted as done (`live.cuts`): a process that dies in between reads the run again and
finds its account written already.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from livereduce.live.ledger import KEPT, Ledger
from livereduce.live.lines import LineFile, rewrite
from livereduce.sources import Position


class Accounts:
    """The file of accounts; the newest `KEPT` runs stay in it.

    Parameters
    ----------
    resume_at
        Where reading begins: what lay between runs before that is known.
    counting_from_ns
        Runs that finished at this time (Unix ns) or later count in `finished`.
    """

    def __init__(self, path: Path, resume_at: Position | None, counting_from_ns: int) -> None:
        self._counting_from_ns = counting_from_ns
        self._finished_and_forgotten = self._appended = 0
        self._runs: dict[tuple[int, str], dict[str, Any]] = {}
        self._between: dict[str, Any] | None = None
        for text in path.read_text().splitlines() if path.exists() else []:
            self._read(text, resume_at)
        rewrite(path, (json.dumps(line) for line in self._lines()))
        self._file = LineFile(path)

    @property
    def finished(self) -> int:
        """How many runs have finished since `counting_from_ns`."""
        return self._finished_and_forgotten + sum(map(self._counts, self._runs.values()))

    def restore(self, ledger: Ledger) -> None:
        """Put what earlier processes counted into a new ledger."""
        between = None if self._between is None else self._between["between_runs"]
        ledger.restore([line["account"] for line in self._runs.values()], between)

    def keep(self, ledger: Ledger, resume: Position, now_ns: int) -> None:
        """Write what is final at a transition behind which reading would go on at `resume`."""
        accounts = ledger.as_json()
        new = [{"written_ns": now_ns, "account": a} for a in accounts["runs"] if a["finished"] and self._is_news(a)]
        self._runs |= {_key(line["account"]): line for line in new}
        self._between = {"resume": resume, "between_runs": accounts["between_runs"]}
        for oldest in list(self._runs)[: max(0, len(self._runs) - KEPT)]:
            self._finished_and_forgotten += self._counts(self._runs.pop(oldest))
        self._file.append(*(json.dumps(line) for line in (*new, self._between)))
        self._appended += len(new) + 1
        if self._appended > KEPT and not self._file.trouble:
            self._file.rewrite(json.dumps(line) for line in self._lines())
            self._appended = 0

    @property
    def trouble(self) -> str:
        """Why accounts are not on disk yet; empty when they are. Asking tries again."""
        self._file.retry()
        return self._file.trouble

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _counts(self, line: dict[str, Any]) -> bool:
        return bool(line["written_ns"] >= self._counting_from_ns)

    def _is_news(self, account: dict[str, Any]) -> bool:
        known = self._runs.get(_key(account))
        return known is None or known["account"] != account

    def _lines(self) -> list[dict[str, Any]]:
        return [*list(self._runs.values())[-KEPT:], *([self._between] if self._between else [])]

    def _read(self, text: str, resume_at: Position | None) -> None:
        try:
            line = json.loads(text)
        except ValueError:  # torn by a crash: what it told of is read again
            return
        if "account" in line:
            self._runs[_key(line["account"])] = line
        elif resume_at is not None and Position(*line["resume"]) == resume_at:
            self._between = line


def _key(account: dict[str, Any]) -> tuple[int, str]:
    return account["run"], account["start"]
