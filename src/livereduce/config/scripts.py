"""Where the user's two scripts are; their contents are `live`'s business."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from livereduce.config.settings import Config
from livereduce.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Scripts:
    """The user's scripts; None = that stage does not exist."""

    proc: Path | None
    post: Path | None


def script_names(short_name: str) -> tuple[str, str]:
    """Name the chunk script and the post-processing script of an instrument."""
    return f"reduce_{short_name}_live_proc.py", f"reduce_{short_name}_live_post_proc.py"


def resolve_scripts(config: Config) -> Scripts:
    """Find the user's scripts.

    Raises
    ------
    ConfigError
        When there is none (both paths are named), or one is empty or no file.
    """
    proc, post = (config.script_dir / name for name in script_names(config.short_name))
    wanted = [*([] if config.post_process_only else [proc]), *([post] if config.post_process else [])]
    present = [path for path in wanted if path.exists()]
    if not present:
        looked = " and ".join(str(path) for path in wanted)
        raise ConfigError([f"{config.script_dir}: no script; looked for {looked}; write at least one of them"])
    problems = [f"{path}: found no file, expected a Python script" for path in present if not path.is_file()]
    problems += [
        f"{path}: found an empty file, expected a Python script; fill or remove it"
        for path in present
        if path.is_file() and path.stat().st_size == 0
    ]
    if problems:
        raise ConfigError(problems)
    return Scripts(proc if proc in present else None, post if post in present else None)
