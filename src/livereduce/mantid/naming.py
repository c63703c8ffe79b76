"""The names a call's result is assigned to: ``ws = Rebin(...)`` stores its result under "ws".

Covers plain names, tuples of names (None for a member that is no name), annotated and walrus assignment, a call that is
one item of a tuple assigned to a tuple, and either side of a conditional expression, in any function. Attributes and
subscripts are no names. Where the source of the caller is not to be had (``python -c``, a bare prompt), the
instructions after the call say the same for simple assignments.
"""

from __future__ import annotations

import ast
import dis
from types import FrameType

from executing import Source

Targets = tuple[str | None, ...]


def assigned_names(frame: FrameType) -> Targets:
    """Names that the value of the call now running in `frame` is bound to; empty when there are none."""
    node: ast.AST | None = Source.executing(frame).node
    return _from_instructions(frame) if node is None else _from_tree(node)


def _from_tree(node: ast.AST) -> Targets:
    parent: ast.AST | None = getattr(node, "parent", None)
    if isinstance(parent, ast.Assign):
        found = [_names(target) for target in parent.targets]
        return next((names for names in found if any(names)), ())
    if isinstance(parent, (ast.AnnAssign, ast.NamedExpr)):
        return _names(parent.target)
    if isinstance(parent, ast.IfExp) and node is not parent.test:
        return _from_tree(parent)
    if isinstance(parent, ast.Tuple):
        return _from_tuple(node, parent)
    return ()


def _from_tuple(node: ast.AST, parent: ast.Tuple) -> Targets:
    """Find the target at the same place in ``a, b = Rebin(...), Rebin(...)``."""
    assign = getattr(parent, "parent", None)
    if isinstance(assign, ast.Assign):
        for target in assign.targets:
            if isinstance(target, (ast.Tuple, ast.List)) and len(target.elts) == len(parent.elts):
                return _names(target.elts[parent.elts.index(node)])  # type: ignore[arg-type]
    return ()


def _names(target: ast.expr) -> Targets:
    if isinstance(target, ast.Name):
        return (target.id,)
    if isinstance(target, (ast.Tuple, ast.List)):
        return tuple(item.id if isinstance(item, ast.Name) else None for item in target.elts)
    return ()


def _from_instructions(frame: FrameType) -> Targets:
    """Names stored right after the call: one, or as many as a tuple is unpacked into."""
    after = (i for i in dis.get_instructions(frame.f_code) if i.offset > frame.f_lasti and i.opname != "CACHE")
    first = next(after, None)
    if first is None:
        return ()
    if first.opname == "UNPACK_SEQUENCE":
        count = int(first.arg or 0)
        stored = [name for _, i in zip(range(count), after, strict=False) for name in _stored(i)]
        return tuple(stored[:count]) if len(stored) >= count else ()
    return _stored(first)[:1]


def _stored(instruction: dis.Instruction) -> Targets:
    """Names one instruction binds; joint instructions (Python 3.13) bind two, or bind one and load another."""
    if not instruction.opname.startswith("STORE_") or instruction.opname in ("STORE_ATTR", "STORE_SUBSCR"):
        return ()
    value = instruction.argval
    if instruction.opname == "STORE_FAST_LOAD_FAST":
        return (value[0],)
    return tuple(value) if isinstance(value, tuple) else (value,)
