"""Text files of one or several spectra, written whole: what the formats of XYE and GSAS have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from livereduce.algorithms.files import check_folder, replacing
from livereduce.workspaces import MatrixWorkspace, Workspace, WorkspaceGroup


def numbered(path: Path, number: int) -> Path:
    """Return the name of a spectrum's own file: ``name-<number>.ext``."""
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def members_of(ws: Workspace) -> list[MatrixWorkspace]:
    """Return the workspace, or the members of a group, as workspaces with spectra."""
    members = list(ws) if isinstance(ws, WorkspaceGroup) else [ws]
    matrices = [member for member in members if isinstance(member, MatrixWorkspace)]
    if len(matrices) < len(members) or not members:
        raise ValueError("InputWorkspace: expected spectra, or a group of workspaces with spectra")
    return matrices


def write_texts(texts: Mapping[Path, str], *, append: bool) -> None:
    """Write files, each at once and completely; with `append`, after what is there."""
    for path in texts:
        check_folder(path)
    for path, text in texts.items():
        before = path.read_text(encoding="utf-8") if append and path.exists() else ""
        with replacing(path) as temporary:
            temporary.write_text(before + text, encoding="utf-8")
