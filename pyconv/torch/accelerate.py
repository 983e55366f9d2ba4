# SPDX-License-Identifier: BSD-3-Clause
"""A network's convolutions by pyconv, in place, and back."""

from torch import nn

from .folded import Folded
from .modules import OURS, THEIRS, reason_against


class Report:
    """
    What `accelerate` did to a module.

    Attributes
    ----------
    module : torch.nn.Module
    swapped : list of str
        Names of the convolutions that are pyconv's.
    left : dict
        Names of those that are not, and why.
    folded : list of str
        In eval, what runs as one plan: ``"conv1, bn1, relu"``.
    whole : dict
        Names of the modules that torch.fx could not trace as a whole, and why; their parts were tried.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.swapped: list[str] = []
        self.left: dict[str, str] = {}
        self.whole: dict[str, str] = {}
        self._graphs: dict[str, Folded] = {}

    @property
    def folded(self) -> list[str]:
        return [
            ", ".join(
                f"{path}.{word}" if path and not word.startswith("+ ") else word for word in chain.words
            )
            for path, graph in self._graphs.items()
            if graph.reason is None
            for chain in graph.chains
            if len(chain.nodes) > 1
        ]

    def undo(self) -> None:
        """`restore` the module."""
        restore(self.module)

    def __repr__(self) -> str:
        total = len(self.swapped) + len(self.left)
        lines = [f"{len(self.swapped)} of {total} convolutions of {type(self.module).__name__} are pyconv's"]
        lines += [f"  {_name(path)} is left: {reason}" for path, reason in self.left.items()]
        if self.folded:
            lines.append(f"in eval, without gradients, {len(self.folded)} run as one with what follows:")
            lines += [f"  {words}" for words in self.folded]
        for path, graph in self._graphs.items():
            if graph.reason is not None:
                lines.append(f"  {_name(path)} runs unfolded: {graph.reason}")
        lines += [f"  {_name(path)} is not traced: {reason}" for path, reason in self.whole.items()]
        return "\n".join(lines)


def _name(path: str) -> str:
    return path or "the module"


def accelerate(module: nn.Module, *, fold: bool = True) -> Report:
    """
    Have pyconv compute a network's convolutions, in place.

    Layers of torch.nn become layers of pyconv.torch by their class alone: parameters, state_dict, hooks and
    optimizers stay as they are. The network trains, with gradients by pyconv; it copies and pickles as
    before.

    Parameters
    ----------
    module : torch.nn.Module
        A network, or a part of one.
    fold : bool
        In eval and without gradients (torch.no_grad or torch.inference_mode), run each convolution as one
        with the batch normalisation, the sum and the ReLU, ReLU6 or Hardtanh that follow, where torch.fx can
        trace the module, or else its parts. Parameters stay apart in the module: a change of them is seen.
        The first result of such a graph is held against the module's own.

    Returns
    -------
    Report
        Print it; ``undo()`` takes everything back, as does `restore`.

    Raises
    ------
    TypeError
        If `module` isn't a torch.nn.Module.

    Notes
    -----
    torch.compile and torch.export see the module's own forward with pyconv's operators; torch.jit.script
    does not take it. A change of weights through `.data` or an array is seen where it reaches one of 64
    elements spread over a weight, as averages and optimizers do.

    Examples
    --------
    >>> import torch, pyconv.torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU()).eval()
    >>> print(pyconv.torch.accelerate(net))
    1 of 1 convolutions of Sequential are pyconv's
    in eval, without gradients, 1 run as one with what follows:
      0, 1, 2
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, is {type(module).__name__}")
    report = Report(module)
    for path, part in module.named_modules():
        if type(part) in OURS or isinstance(part, tuple(OURS)):
            reason = None if type(part) in THEIRS else reason_against(part)
            if reason is None:
                part.__class__ = OURS.get(type(part), type(part))
                report.swapped.append(path)
            else:
                report.left[path] = reason
    if fold and report.swapped:
        _fold(module, "", report)
    return report


def _fold(module: nn.Module, path: str, report: Report) -> None:
    """A folded graph for the module, or for those of its parts that have one."""
    if not any(type(part) in THEIRS for part in module.modules()) or type(module) in THEIRS:
        return
    if "forward" in vars(module) and not isinstance(vars(module)["forward"], Folded):
        report.whole[path] = "its forward has been replaced"
        return
    graph = Folded(module)
    if graph.make():
        report._graphs[path] = module.forward = graph
    elif graph.reason is not None:
        if not isinstance(module, (nn.ModuleList, nn.ModuleDict)):
            report.whole[path] = graph.reason
        for name, part in module.named_children():
            _fold(part, f"{path}.{name}".lstrip("."), report)


def restore(module: nn.Module) -> None:
    """
    Take back what `accelerate` did, also to a copy.

    Parameters
    ----------
    module : torch.nn.Module
    """
    for part in module.modules():
        part.__class__ = THEIRS.get(type(part), type(part))
        if isinstance(vars(part).get("forward"), Folded):
            del part.forward
