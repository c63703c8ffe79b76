"""The configuration file: `livereduce.conf`, JSON, with the keys that have always been in it and our own.

`Settings` is what a file may say (the reference page is made from it), `Config` what the program works with: every
setting resolved against the table of instruments, every path absolute, frozen. `load` collects everything that is
wrong before it raises. Does not cover: what is in the scripts, and whether a host answers (``livereduce check``).
"""

from livereduce.config.loading import SYSTEM_PATH, from_mapping, load
from livereduce.config.scripts import Scripts, resolve_scripts, script_names
from livereduce.config.settings import Config, Instruments, Log, Move, Output, Settings, Stream, Watchdog, Web

__all__ = [
    "SYSTEM_PATH",
    "Config",
    "Instruments",
    "Log",
    "Move",
    "Output",
    "Scripts",
    "Settings",
    "Stream",
    "Watchdog",
    "Web",
    "from_mapping",
    "load",
    "resolve_scripts",
    "script_names",
]
