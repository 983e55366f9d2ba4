# SPDX-License-Identifier: BSD-3-Clause
"""A module's forward that runs its folded graph in eval, and its own forward else."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from . import graphs
from .operators import eager
from .tensors import PLAIN, channels_last

TOLERANCE = {torch.float16: 3e-2, torch.bfloat16: 3e-2}  # of the largest element, else 1e-3
GLOBAL_HOOKS = nn.modules.module._global_forward_hooks, nn.modules.module._global_forward_pre_hooks


class Folded:
    """
    What an accelerated module has for its `forward`.

    The graph holds for tensors alone, in eval, without gradients, and as long as the modules in it are those
    it was made of, with the hooks they had then. Its first result is held against the module's own, which a
    trace may have got wrong: what the module decides by isinstance, say. Images go through it in
    channels_last, where convolutions are faster, unless that fails.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._forget()

    def _forget(self) -> None:
        self.chains: list[graphs.Chain] = []
        self.reason: str | None = None
        self._graph: Callable[..., Any] | None = None
        self._made = self._tested = False
        self._turn: list[bool] = []

    def __getstate__(self) -> dict[str, Any]:
        return {"module": self.module}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.module = state["module"]
        self._forget()

    def __call__(self, *arguments: Any, **words: Any) -> Any:
        module = self.module
        if words or not self._serves(arguments):
            return type(module).forward(module, *arguments, **words)
        if not self._tested:
            return self._test(arguments)
        result = self._graph(*arguments)
        return self._turned(result) if any(self._turn) and not any(map(channels_last, arguments)) else result

    @property
    def __code__(self) -> CodeType:
        """The module's own, which torch.export asks for."""
        return type(self.module).forward.__code__

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(partial(type(self.module).forward, self.module))

    def _turned(self, result: Any) -> Any:
        """The result of contiguous arguments, with images in the layout in which the module gives them."""
        parts, shape = pytree.tree_flatten(result)
        turned = [part.contiguous() if turn else part for part, turn in zip(parts, self._turn, strict=True)]
        return pytree.tree_unflatten(turned, shape)

    def _serves(self, arguments: tuple[Any, ...]) -> bool:
        module = self.module
        if module.training or not eager(arguments) or torch.is_autocast_enabled("cpu"):
            return False
        if torch.is_grad_enabled() and (
            any(a.requires_grad for a in arguments) or any(p.requires_grad for p in module.parameters())
        ):
            return False
        if not self._made or not self._current():
            self.make()
        if self._graph is None or len(arguments) != self._inputs or any(map(len, GLOBAL_HOOKS)):
            return False
        return all(type(a) in PLAIN for a in arguments) and not any(m.training for m in self._calm)

    def _current(self) -> bool:
        same = all(d.get(name) is part for d, name, part in self._parts)
        return same and [*map(len, self._hooks)] == self._counts

    def make(self) -> bool:
        """Traces the module; whether there is something to fold in it, and `reason` if the trace failed."""
        self._forget()
        self._made = True
        modules = list(self.module.modules())
        self._parts = [(d, name, part) for m in modules for d in (m._modules, m._parameters, m._buffers)
                       for name, part in d.items()]  # fmt: skip
        self._hooks = [hooks for m in modules[1:] for hooks in (m._forward_hooks, m._forward_pre_hooks)]
        self._counts = [*map(len, self._hooks)]
        try:
            graph = graphs.traced(self.module)
            self.chains = list(graphs.chains(self.module, graph))
            self._inputs = sum(node.op == "placeholder" for node in graph.nodes)
            self._calm = [m for chain in self.chains for m in chain.calm]
            if any(len(chain.nodes) > 1 for chain in self.chains):
                self._graph, self._steps = graphs.compiled(self.module, graph, self.chains)
        except Exception as error:  # whatever a module's forward makes of torch.fx's proxies
            first, *_ = str(error).splitlines() or [""]
            self.reason = f"{type(error).__name__}: {first}"
        return self._graph is not None

    @contextmanager
    def _unhooked(self) -> Iterator[None]:
        """Hooks are not to see one call twice."""
        kept = [dict(hooks) for hooks in self._hooks]
        try:
            for hooks in self._hooks:
                hooks.clear()
            yield
        finally:
            for hooks, before in zip(self._hooks, kept, strict=True):
                hooks.update(before)

    def _test(self, arguments: tuple[Tensor, ...]) -> Any:
        """The module's own result, held against that of the graph."""
        module, given = self.module, [a.clone() for a in arguments]
        wanted = type(module).forward(module, *arguments)
        for last in (True, False):
            for step in self._steps:
                step.last = last
            try:
                with self._unhooked():
                    found = self._graph(*[a.clone() for a in given])
                self.reason = (
                    None if agree(found, wanted) else "its graph gave another result than its forward"
                )
            except Exception as error:
                self.reason = f"its graph failed: {type(error).__name__}: {error}"
            if self.reason is None:
                given_last = any(map(channels_last, given))
                pairs = zip(pytree.tree_leaves(found), pytree.tree_leaves(wanted), strict=True)
                self._turn = [
                    isinstance(a, Tensor) and channels_last(a) and (given_last or b.is_contiguous())
                    for a, b in pairs
                ]
                break
        else:
            self._graph = None
        self._tested = True
        return wanted


def agree(given: Any, wanted: Any) -> bool:
    """Whether two results are the same within rounding."""
    (a, first), (b, second) = pytree.tree_flatten(given), pytree.tree_flatten(wanted)
    return first == second and all(map(_near, a, b))


def _near(a: Any, b: Any) -> bool:
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return type(a) is type(b) and bool(a == b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if not a.is_floating_point():
        return torch.equal(a, b)
    largest = b[b.isfinite()].abs().max().item() if b.isfinite().any() else 0.0
    return torch.allclose(a, b, rtol=0, atol=TOLERANCE.get(a.dtype, 1e-3) * largest, equal_nan=True)
