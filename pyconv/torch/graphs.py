# SPDX-License-Identifier: BSD-3-Clause
"""
The graph of a module in eval, as torch.fx traces it, with chains of layers as one step each:

    convolution -> batch normalisation -> + residual -> ReLU, ReLU6 or a clamp

Each but the first may be missing. A chain runs where its last node stood, so it ends before anything that
writes in place, which its operands might not survive.
"""

import inspect
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from .modules import THEIRS, Conv1d, Conv2d
from .steps import Step

NORMS = {Conv1d: nn.BatchNorm1d, Conv2d: nn.BatchNorm2d}
NOTHING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)  # in eval
ADDS = (operator.add, operator.iadd, torch.add)
RELUS = (torch.relu, torch.relu_, nn.functional.relu, nn.functional.relu_)


def hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


class Tracer(fx.Tracer):
    """Goes into every module but PyTorch's own, convolutions, and those whose hooks are to see tensors."""

    def is_leaf_module(self, m: nn.Module, qualified_name: str) -> bool:
        return type(m) in THEIRS or hooked(m) or super().is_leaf_module(m, qualified_name)

    def create_proxy(self, kind: str, target: Any, args: Any, *rest: Any, **words: Any) -> Any:
        """An argument with a default is that default: calls that give another don't take this graph."""
        if kind == "placeholder" and args:
            return args[0]
        return super().create_proxy(kind, target, args, *rest, **words)


@dataclass
class Chain:
    """Nodes that become one step."""

    nodes: list[fx.Node]
    norm: nn.Module | None = None
    sum: fx.Node | None = None
    activation: Any = None
    words: list[str] = field(default_factory=list)
    calm: list[nn.Module] = field(default_factory=list)  # that must be in eval

    @property
    def residual(self) -> fx.Node | None:
        """What its sum adds to it."""
        if self.sum is None:
            return None
        first, second = self.sum.args
        return second if first in self.nodes else first

    @property
    def last(self) -> fx.Node:
        return self.nodes[-1]


def refuse_open_arguments(module: nn.Module) -> None:
    for parameter in inspect.signature(type(module).forward).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            raise NotImplementedError(
                f"its forward takes *{parameter.name}, arguments that a graph can't have"
            )


def traced(module: nn.Module) -> fx.Graph:
    """The graph of module in eval; raises whatever the trace meets."""
    refuse_open_arguments(module)
    modes = [(m, m.training) for m in module.modules()]
    try:
        for m, _ in modes:
            m.training = False
        with torch.no_grad():
            return Tracer().trace(module)
    finally:
        for m, training in modes:
            m.training = training


def chains(module: nn.Module, graph: fx.Graph) -> Iterator[Chain]:
    """Those that are worth a step, first to last."""
    modules = dict(module.named_modules())
    order = {node: i for i, node in enumerate(graph.nodes)}
    writing = [order[node] for node in graph.nodes if _writes(node, modules)]
    taken: set[fx.Node] = set()
    for node in graph.nodes:
        layer = modules.get(node.target) if node.op == "call_module" else None
        if type(layer) not in NORMS or hooked(layer) or len(node.args) != 1 or node.kwargs:
            continue
        chain = Chain([node], words=[str(node.target)])
        while (following := _next(chain, modules, layer)) is not None:
            between = range(order[chain.nodes[0]] + 1, order[following.last])
            if any(i in between for i in writing if i not in {order[n] for n in following.nodes}):
                break
            if taken & set(following.nodes):
                break
            chain = following
        taken.update(chain.nodes)
        yield chain


def _next(chain: Chain, modules: dict[str, nn.Module], layer: nn.Module) -> Chain | None:
    """The chain with the node after it, if that can be part of the step."""
    if len(chain.last.users) != 1:
        return None
    (node,) = chain.last.users
    called = modules.get(node.target) if node.op == "call_module" else None
    longer = Chain(
        [*chain.nodes, node], chain.norm, chain.sum, chain.activation, [*chain.words], [*chain.calm]
    )
    if called is not None:
        if hooked(called) or len(node.args) != 1 or node.kwargs:
            return None
        longer.words.append(str(node.target))
        if type(called) is NORMS[type(layer)] and chain.norm is chain.sum is chain.activation is None:
            longer.norm = called
            longer.calm.append(called)
            return longer if called.track_running_stats and called.running_mean is not None else None
        if type(called) in NOTHING:
            longer.calm.append(called)
            return longer
    if chain.activation is not None:
        return None
    activation = _activation(node, called)
    if activation is not None:
        longer.activation = activation
        if called is None:
            longer.words.append(activation if isinstance(activation, str) else "clip")
        return longer
    other = _added(node, chain.last)
    if other is not None and chain.sum is None:
        longer.sum = node
        longer.words.append(f"+ {other.name}")
        return longer
    return None


def _added(node: fx.Node, part: fx.Node) -> fx.Node | None:
    """What node adds to part, another node; None if it adds nothing, or part itself."""
    adds = (node.op == "call_function" and node.target in ADDS) or (
        node.op == "call_method" and node.target in ("add", "add_")
    )
    if not adds or len(node.args) != 2 or node.kwargs:
        return None
    first, second = node.args
    if first is not part and (node.target is operator.iadd or node.target == "add_"):
        return None  # writes into the other
    other = second if first is part else first
    return other if isinstance(other, fx.Node) and other is not part else None


def _activation(node: fx.Node, called: nn.Module | None) -> Any:
    """The keyword of `pyconv.conv2d` that does what node does, or None."""
    match called:
        case nn.ReLU6():
            return "relu6"
        case nn.ReLU():
            return "relu"
        case nn.Hardtanh():
            return "clip", float(called.min_val), float(called.max_val)
    alone = len(node.args) == 1 and set(node.kwargs) <= {"inplace"}
    if node.op == "call_function" and alone:
        return "relu" if node.target in RELUS else "relu6" if node.target is nn.functional.relu6 else None
    return "relu" if node.op == "call_method" and alone and node.target in ("relu", "relu_") else None


def _writes(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether node may change a tensor that others see."""
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if node.op == "call_module":
        return bool(getattr(modules.get(node.target), "inplace", False))
    if node.op not in ("call_function", "call_method"):
        return False
    return (
        (name.endswith("_") and not name.endswith("__"))
        or (name.startswith("i") and getattr(operator, name, None) is node.target)
        or name == "setitem"
        or bool(node.kwargs.get("inplace") or "out" in node.kwargs)
        or (name in ("relu", "relu6", "hardtanh") and True in node.args[1:])
    )


def compiled(
    module: nn.Module, graph: fx.Graph, found: Iterable[Chain]
) -> tuple[Callable[..., Any], list[Step]]:
    """The graph with each chain as a step, ready to run, and its steps."""
    modules: dict[str, Any] = dict(module.named_modules())
    steps = []
    for number, chain in enumerate(found):
        first, last = chain.nodes[0], chain.last
        name = f"_step_{number}"
        modules[name] = Step(modules[first.target], chain.norm, chain.activation)
        steps.append(modules[name])
        with graph.inserting_before(last):
            operands = first.args if chain.sum is None else (*first.args, chain.residual)
            step = graph.call_module(name, operands)
        last.replace_all_uses_with(step)
        for node in reversed(chain.nodes):
            graph.erase_node(node)
    for node in graph.nodes:
        if node.op == "get_attr":
            modules[node.target] = operator.attrgetter(node.target)(module)
        elif node.op == "call_method" and node.target == "view":
            node.target = "reshape"  # of channels_last, too
    return fx.GraphModule(modules, graph).forward, steps
