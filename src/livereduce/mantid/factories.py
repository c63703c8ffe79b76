"""``WorkspaceFactory``: empty workspaces and tables for scripts that fill them."""

from __future__ import annotations

import numpy as np

from livereduce.workspaces import HistogramWorkspace, MatrixWorkspace, TableWorkspace


class WorkspaceFactoryImpl:
    """Makes empty workspaces; one instance, `WorkspaceFactory`."""

    def Instance(self) -> WorkspaceFactoryImpl:  # noqa: N802
        """Give this object, as scripts for old versions ask for it."""
        return self

    def create(
        self,
        kind: str | MatrixWorkspace,
        NVectors: int = 0,  # noqa: N803
        XLength: int = 0,  # noqa: N803
        YLength: int = 0,  # noqa: N803
    ) -> HistogramWorkspace:
        """Make a histogram workspace of zeros, like `kind` if that is a workspace.

        Parameters
        ----------
        kind
            ``"Workspace2D"``, or a workspace whose instrument, logs and units the new one has. Sizes not given are
            those of that workspace.
        """
        parent = kind if isinstance(kind, MatrixWorkspace) else None
        if parent is None and kind != "Workspace2D":
            raise RuntimeError(f"WorkspaceFactory cannot make a {kind!r}; it makes Workspace2D")
        if parent is not None:
            NVectors = NVectors or parent.n_spectra  # noqa: N806
            YLength = YLength or parent.n_bins  # noqa: N806
            XLength = XLength or parent.x.shape[-1]  # noqa: N806
        x, y = np.zeros((NVectors, XLength)), np.zeros((NVectors, YLength))
        if parent is None:
            return HistogramWorkspace(x, y, unit="", y_unit="")
        return HistogramWorkspace(
            x,
            y,
            detectors=parent.detectors,
            spectra=parent.spectra if parent.n_spectra == NVectors else None,
            run=parent.logs.clone(),
            title=parent.title,
            unit=parent.unit,
            y_unit=parent.y_unit,
            y_label=parent.y_label,
        )

    def createTable(self, kind: str = "TableWorkspace") -> TableWorkspace:  # noqa: N802
        """Make a table without columns."""
        if kind != "TableWorkspace":
            raise RuntimeError(f"WorkspaceFactory cannot make a {kind!r}; it makes TableWorkspace")
        return TableWorkspace()


WorkspaceFactory = TableFactory = WorkspaceFactoryImpl()
