# SPDX-License-Identifier: BSD-3-Clause
"""pyconv.torch.accelerate: networks equal what they were, in eval and in training, and can be had back."""

import copy
import gc
import io
import pickle
import weakref

import pytest

torch = pytest.importorskip("torch", reason="pyconv.torch needs PyTorch")
from torch import nn  # noqa: E402

import pyconv.torch as ours  # noqa: E402
from pyconv.torch.modules import OURS  # noqa: E402


class Block(nn.Module):
    def __init__(self, channels, filters, stride=1, activation=nn.ReLU):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.relu = activation(inplace=True)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(filters)
        self.down = nn.Sequential(nn.Conv2d(channels, filters, 1, stride), nn.BatchNorm2d(filters))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.down(x)
        return self.relu(y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding="same", padding_mode="reflect"), nn.ReLU())
        self.body = nn.Sequential(Block(8, 8), Block(8, 16, 2, nn.ReLU6))
        self.up = nn.ConvTranspose2d(16, 4, 2, stride=2)
        self.head = nn.Linear(4, 5)

    def forward(self, x, scale=1.0):
        y = self.up(self.body(self.stem(x)))
        return self.head(y.mean((2, 3))) * scale


def settled(net, seed=0):
    """With random weights and statistics, in eval."""
    torch.manual_seed(seed)
    for name, t in net.state_dict().items():
        if t.is_floating_point():
            t.copy_(torch.rand_like(t) + 0.5 if "var" in name else torch.randn_like(t) * 0.3)
    return net.eval()


def image(*shape, seed=1):
    return torch.randn(shape or (2, 3, 12, 12), generator=torch.Generator().manual_seed(seed))


def assert_same(given, exact, bound=1e-4):
    assert given.shape == exact.shape and given.dtype == exact.dtype and given.stride() == exact.stride()
    torch.testing.assert_close(given, exact, rtol=0, atol=bound * exact.abs().max().item())


@pytest.fixture
def pair():
    """A network and its accelerated copy."""
    net = settled(Net())
    fast = copy.deepcopy(net)
    ours.accelerate(fast)
    return net, fast


def runs_folded(net, x, module=None):
    """Whether the second call of net runs a graph."""
    graph = vars(module or net)["forward"]
    with torch.no_grad():
        net(x)
        return graph._serves((x,)) and graph._tested and graph._graph is not None


def test_report_says_what_runs_as_one():
    net = settled(Net())
    report = ours.accelerate(net)
    assert len(report.swapped) == 8 and not report.left and report.module is net
    assert report.folded == [
        "stem.0, stem.1",
        "body.0.conv1, body.0.bn1, body.0.relu",
        "body.0.conv2, body.0.bn2, + body_0_down_1, body.0.relu",
        "body.0.down.0, body.0.down.1",
        "body.1.conv1, body.1.bn1, body.1.relu",
        "body.1.conv2, body.1.bn2, + body_1_down_1, body.1.relu",
        "body.1.down.0, body.1.down.1",
    ]
    assert repr(report).startswith(
        "8 of 8 convolutions of Net are pyconv's\nin eval, without gradients, 7 run as one"
    )


@pytest.mark.parametrize("channels_last", [False, True])
def test_eval(pair, channels_last):
    net, fast = pair
    form = torch.channels_last if channels_last else torch.contiguous_format
    with torch.no_grad():
        for shape in [(2, 3, 12, 12), (1, 3, 17, 9), (2, 3, 12, 12)]:
            x = image(*shape).to(memory_format=form)
            for _ in range(3):
                assert_same(fast(x), net(x))
    assert runs_folded(fast, x)


def test_eval_in_inference_mode_and_with_threads(pair):
    net, fast = pair
    x, before = image(), torch.get_num_threads()
    try:
        with torch.inference_mode():
            for threads in (1, 2):
                torch.set_num_threads(threads)
                for _ in range(2):
                    assert_same(fast(x), net(x))
    finally:
        torch.set_num_threads(before)


def test_eval_with_gradients(pair):
    net, fast = pair
    wanted, given = image().requires_grad_(), image().requires_grad_()
    net(wanted).square().sum().backward()
    fast(given).square().sum().backward()
    assert_same(given.grad, wanted.grad)
    for (name, a), b in zip(fast.named_parameters(), net.parameters(), strict=True):
        assert_same(a.grad, b.grad), name


@pytest.mark.parametrize("channels_last", [False, True])
def test_training_and_eval_by_turns(pair, channels_last):
    """Optimizers and statistics change weights between runs of the graph."""
    losses = []
    x = image().to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    for net in pair:
        optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)
        found = []
        for _ in range(3):
            net.train()
            loss = net(x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            net.eval()
            with torch.no_grad():
                found += [loss.detach(), net(x), net(x)]
        losses.append(found)
    for given, exact in zip(*reversed(losses), strict=True):
        assert_same(given, exact, 2e-3)
    for (name, a), b in zip(pair[1].state_dict().items(), pair[0].state_dict().values(), strict=True):
        if a.is_floating_point():
            assert_same(a, b, 2e-3), name


def change_data(net):
    for parameter in net.parameters():
        parameter.data.mul_(0.9)


def change_statistics(net):
    net.body[0].bn1.train()
    net.body[0](image(2, 8, 12, 12))
    net.body[0].bn1.eval()


def change_bias(net):
    with torch.no_grad():
        net.body[0].bn2.bias += 1


def load(net):
    net.load_state_dict(settled(Net(), seed=5).state_dict())


def replace_module(net):
    net.body[1].relu = nn.Tanh()


def replace_parameter(net):
    net.stem[0].weight = nn.Parameter(net.stem[0].weight * 2)


def to_double(net):
    net.double()


def some_in_training(net):
    net.body[0].bn1.train()


CHANGES = [
    change_data, change_statistics, change_bias, load, replace_module, replace_parameter, to_double,
    some_in_training,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_a_change_is_seen(pair, change):
    x = image()
    for net in pair:
        runs_folded(net, x) if net is pair[1] else None
        change(net)
    x = x.to(pair[0].head.weight.dtype)
    with torch.no_grad():
        for _ in range(3):
            net, fast = copy.deepcopy(pair[0]), pair[1]
            wanted = pair[0](x) if change is some_in_training else net(x)
            assert_same(fast(x), wanted)


def test_state_copies_and_pickles(pair):
    net, fast = pair
    assert list(fast.state_dict()) == list(net.state_dict())
    x, file = image(), io.BytesIO()
    torch.save(fast, file)
    file.seek(0)
    for other in (
        copy.deepcopy(fast),
        pickle.loads(pickle.dumps(fast)),
        torch.load(file, weights_only=False),
    ):
        with torch.no_grad():
            assert_same(other(x), net(x))
        assert runs_folded(other, x)
        assert vars(other)["forward"].module is other
        with torch.no_grad():
            other.stem[0].weight.zero_()
            assert_same(fast(x), net(x))  # none of it is shared
    fast.load_state_dict(net.state_dict())


@pytest.mark.parametrize("undo", [lambda r: r.undo(), lambda r: ours.restore(r.module)])
def test_it_can_be_undone(undo):
    net = settled(Net())
    before = {name: (type(m), list(vars(m))) for name, m in net.named_modules()}
    report = ours.accelerate(net)
    with torch.no_grad():
        net(image())
    assert type(net.stem[0]) is ours.Conv2d and isinstance(net.stem[0], nn.Conv2d)
    undo(report)
    assert before == {name: (type(m), list(vars(m))) for name, m in net.named_modules()}


def test_a_copy_can_be_undone_by_itself(pair):
    _, fast = pair
    other = copy.deepcopy(fast)
    ours.restore(other)
    assert not any(type(m) in OURS.values() for m in other.modules()) and "forward" not in vars(other)
    assert runs_folded(fast, image())


def test_twice_is_once(pair):
    _, fast = pair
    report = ours.accelerate(fast)
    assert len(report.swapped) == 8 and len(report.folded) == 7 and runs_folded(fast, image())


def test_without_folding(pair):
    net, _ = pair
    fast = copy.deepcopy(net)
    assert not ours.accelerate(fast, fold=False).folded and "forward" not in vars(fast)
    assert_same(fast(image()), net(image()))


def test_arguments_with_defaults(pair):
    net, fast = pair
    x = image()
    with torch.no_grad():
        for _ in range(2):
            assert_same(fast(x, 2.0), net(x, 2.0))
            assert_same(fast(x=x, scale=3.0), net(x, 3.0))
            assert_same(fast(x), net(x))


def test_hooks_see_what_they_saw(pair):
    """Whenever they are added; those of a layer end the graph's steps there."""
    net, fast = pair
    x, seen = image(), {net: [], fast: []}
    runs_folded(fast, x)
    for each in pair:
        each.body[0].bn1.register_forward_hook(lambda m, args, y, each=each: seen[each].append(y))
        each.body[1].register_forward_pre_hook(lambda m, args, each=each: seen[each].append(args[0]))
    with torch.no_grad():
        for _ in range(3):
            assert_same(fast(x), net(x))
            assert len(seen[fast]) == len(seen[net])
    assert seen[fast][-1].shape == seen[net][-1].shape
    torch.testing.assert_close(seen[fast][-1], seen[net][-1], atol=1e-3, rtol=1e-3)


def test_hooks_of_the_convolution_itself():
    net, seen = settled(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())), []
    net[0].register_forward_hook(lambda m, args, y: seen.append(y.min().item()))
    ours.accelerate(net)
    with torch.no_grad():
        net(image())
        net(image())
    assert len(seen) == 2 and seen[0] < 0


class Branches(nn.Module):
    """Decides by the values of a tensor, which a trace can't see."""

    def __init__(self):
        super().__init__()
        self.part = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.last = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        y = self.part(x)
        return self.last(y) if y.sum() > 0 else y


def test_parts_of_what_can_not_be_traced():
    net = settled(Branches())
    fast = copy.deepcopy(net)
    report = ours.accelerate(fast)
    assert "TraceError" in report.whole[""] and report.folded == ["part.0, part.1, part.2"]
    assert "the module is not traced: TraceError" in repr(report)
    x = image()
    with torch.no_grad():
        for _ in range(3):
            assert_same(fast(x), net(x))
    assert runs_folded(fast, x, fast.part)


class Deceives(nn.Module):
    """Traces well and wrong."""

    def __init__(self, raising=False):
        super().__init__()
        self.conv, self.relu, self.raising = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), raising

    def forward(self, x):
        y = self.relu(self.conv(x))
        if isinstance(x, torch.Tensor):
            return y + 1
        return y.no_such_method() if self.raising else y


@pytest.mark.parametrize(
    "raising, why", [(True, "its graph failed: AttributeError"), (False, "gave another result")]
)
def test_a_wrong_trace_is_found_out(raising, why):
    net = settled(Deceives(raising))
    fast = copy.deepcopy(net)
    report = ours.accelerate(fast)
    with torch.no_grad():
        for _ in range(3):
            assert_same(fast(image()), net(image()))
    assert f"the module runs unfolded: {why}" in repr(report) or why in repr(report)
    assert not report.folded


class Writes(nn.Module):
    """Nodes between a convolution and its ReLU that write where it reads, or are written to."""

    def __init__(self, how):
        super().__init__()
        self.conv, self.relu, self.how = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), how

    def forward(self, x):
        x = x * 1
        y = self.conv(x)
        match self.how:
            case "input":
                x.mul_(2)
                return self.relu(y) + x
            case "residual":
                z = x * 3
                y = y + z
                z += 5
                return self.relu(y) + z
            case "other":
                x += y
                return self.relu(x) + x
            case "twice":
                return self.relu(y) + y
            case "itself":
                return self.relu(y + y)
            case "number":
                return self.relu(y + 1)
            case "broadcast":
                return self.relu(y + x.mean((2, 3), keepdim=True))
            case "scaled":
                return self.relu(torch.add(y, x, alpha=2))
            case "narrower":
                return self.relu(y + x.double())
            case "function":
                return nn.functional.relu6(y + x)
            case "method":
                return y.add(x).relu_()
            case "setitem":
                x[:, 0] = 7
                return self.relu(y)


HOWS = [
    "input", "residual", "other", "twice", "itself", "number", "broadcast", "scaled", "narrower", "function",
    "method", "setitem",
]  # fmt: skip


@pytest.mark.parametrize("how", HOWS)
def test_the_graph_itself_is_right(how):
    """Not only because a wrong one would be found out."""
    net = settled(Writes(how))
    fast = copy.deepcopy(net)
    ours.accelerate(fast)
    with torch.no_grad():
        for _ in range(2):
            assert_same(fast(image()), net(image()))
    graph = vars(fast).get("forward")
    assert graph is None or graph.reason is None
    if how in ("function", "method"):
        assert [len(chain.nodes) for chain in graph.chains] == [3]


def test_images_out_of_a_network_are_as_it_gives_them():
    net = settled(nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.BatchNorm2d(4)))
    fast = copy.deepcopy(net)
    ours.accelerate(fast)
    with torch.no_grad():
        for x in (image(), image().to(memory_format=torch.channels_last)):
            for _ in range(3):
                assert_same(fast(x), net(x))


class Views(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(400, 2)

    def forward(self, x):
        return self.head(self.relu(self.conv(x)).view(x.size(0), -1))


def test_views_of_images():
    net = settled(Views())
    fast = copy.deepcopy(net)
    ours.accelerate(fast)
    with torch.no_grad():
        for _ in range(3):
            assert_same(fast(image()), net(image()))
    assert runs_folded(fast, image())


@pytest.mark.parametrize("layer, kind", [(nn.Conv1d, nn.BatchNorm1d), (nn.Conv2d, nn.BatchNorm2d)])
@pytest.mark.parametrize("words", [
    {"groups": 2, "bias": False}, {"padding": "same", "dilation": 2},
    {"padding": 2, "padding_mode": "circular"}, {"stride": 2, "padding": 1, "padding_mode": "replicate"},
])  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_layers_of_all_kinds(layer, kind, words, dtype):
    net = settled(nn.Sequential(layer(4, 6, 3, **words), kind(6, affine=False), nn.Hardtanh(-1, 2))).to(dtype)
    fast = copy.deepcopy(net)
    assert ours.accelerate(fast).folded == ["0, 1, 2"]
    x = image(*(2, 4, 9, 8)[: 2 + (layer is nn.Conv2d) + 1]).to(dtype)
    with torch.no_grad():
        for _ in range(2):
            assert_same(fast(x), net(x), 2e-2 if dtype == torch.bfloat16 else 1e-5)
    assert_same(fast(x), net(x), 2e-2 if dtype == torch.bfloat16 else 1e-5)


def test_what_is_left_alone_is_said():
    class Mine(nn.Conv2d):
        pass

    net = nn.Sequential(
        Mine(3, 4, 3), nn.LazyConv2d(4, 3), nn.Conv2d(4, 4, 3, dtype=torch.complex64),
        nn.Conv2d(4, 4, 3, device="meta"),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3)), nn.Conv2d(4, 4, 3),
    )  # fmt: skip
    report = ours.accelerate(net)
    assert report.swapped == ["5"]
    assert list(report.left) == ["0", "1", "2", "3", "4"]
    for word in ("Mine", "LazyConv2d", "complex64", "meta", "ParametrizedConv2d"):
        assert word in repr(report)
    with pytest.raises(TypeError, match=r"module must be a torch.nn.Module, is function"):
        ours.accelerate(image)


def test_compile_and_export_see_the_operators(pair):
    net, fast = pair
    x = image()
    with torch.no_grad():
        compiled = torch.compile(fast, fullgraph=True, backend="eager")
        assert_same(compiled(x), net(x))
        program = torch.export.export(fast, (x,))
        assert "pyconv.convolution" in str(program.graph)
        assert_same(program.module()(x), net(x))


def test_autocast(pair):
    net, fast = pair
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert_same(fast(image()), net(image()), 5e-2)


def test_a_network_is_let_go():
    net = settled(Net())
    ours.accelerate(net)
    with torch.no_grad():
        net(image())
    gone = weakref.ref(net)
    del net
    gc.collect()
    assert gone() is None


def test_folded_weights_are_rounded_once():
    """Equal to what float64 makes of the two."""
    net = settled(nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)))
    wanted = copy.deepcopy(net).double()
    ours.accelerate(net)
    x = image(1, 2, 5, 5)
    with torch.no_grad():
        net(x)
        torch.testing.assert_close(net(x), wanted(x.double()).float(), rtol=3e-7, atol=1e-6)
