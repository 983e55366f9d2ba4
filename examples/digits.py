# SPDX-License-Identifier: BSD-3-Clause
"""Trains a small CNN on scikit-learn's handwritten digits, with pyconv and NumPy alone.

Four convolutions, the last as large as what is left of the image; gradient descent with momentum. The script
prints what each epoch brings on digits that it doesn't train on, and draws it.
"""

import argparse
import time

import numpy as np
from sklearn.datasets import load_digits

import pyconv

HELD_OUT = 450  # of 1797 digits
BATCH, RATE, MOMENTUM, DECAY = 32, 0.05, 0.9, 1e-4


class Convolution:
    """A layer with bias and, but for the last, ReLU: its weights, and what their gradients need."""

    def __init__(self, rng, filters, channels, size, relu=True, **geometry):
        scale = np.sqrt(2 / (channels * size * size))
        weight = scale * rng.standard_normal((filters, channels, size, size), np.float32)
        self.parameters = [weight.astype(np.float32), np.zeros(filters, np.float32)]
        self.velocities = [np.zeros_like(p) for p in self.parameters]
        self.geometry, self.relu = geometry, relu

    def forward(self, x):
        self.x = x
        activation = "relu" if self.relu else None
        self.y = pyconv.conv2d(x, *self.parameters, activation=activation, **self.geometry)
        return self.y

    def backward(self, dy):
        """The gradient of x from that of y; keeps those of the parameters."""
        if self.relu:
            dy = dy * (self.y > 0)
        weight, _ = self.parameters
        self.gradients = [
            pyconv.conv2d_backward_weight(self.x, weight.shape, dy, **self.geometry),
            pyconv.conv2d_backward_bias(dy),
        ]
        return pyconv.conv2d_backward_input(self.x.shape, weight, dy, **self.geometry)

    def update(self, rate):
        for p, v, g in zip(self.parameters, self.velocities, self.gradients, strict=True):
            v *= MOMENTUM
            v -= rate * (g + DECAY * p)
            p += v


def network(rng):
    """1 x 8 x 8 -> 16 x 8 x 8 -> 32 x 8 x 8 -> 32 x 4 x 4 -> 10"""
    return [
        Convolution(rng, 16, 1, 3, padding=1),
        Convolution(rng, 32, 16, 3, padding=1),
        Convolution(rng, 32, 32, 3, padding=1, stride=2),
        Convolution(rng, 10, 32, 4, relu=False),
    ]


def scores(layers, x):
    """(N, 10)"""
    for layer in layers:
        x = layer.forward(x)
    return x[:, :, 0, 0]


def loss_and_gradient(scores, labels):
    """The mean cross-entropy of softmax, and its gradient: probabilities less 1 at the label, by N."""
    shifted = scores - scores.max(1, keepdims=True)
    p = np.exp(shifted)
    p /= p.sum(1, keepdims=True)
    n = np.arange(len(labels))
    loss = -np.log(p[n, labels]).mean()
    p[n, labels] -= 1
    return loss, p / np.float32(len(labels))


def moved(x, rng):
    """Each image by at most a pixel up or down, left or right."""
    n = np.arange(len(x))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")
    down, right = rng.integers(0, 3, (2, len(x)))
    return np.lib.stride_tricks.sliding_window_view(padded, x.shape[2:], (2, 3))[n, :, down, right]


def epoch(layers, x, labels, rate, rng):
    """One pass over the digits in random order; the mean loss."""
    losses = []
    for batch in np.array_split(rng.permutation(len(x)), len(x) // BATCH):
        loss, dy = loss_and_gradient(scores(layers, moved(x[batch], rng)), labels[batch])
        dy = dy[:, :, None, None]
        for layer in reversed(layers):
            dy = layer.backward(dy)
        for layer in layers:
            layer.update(rate)
        losses.append(loss)
    return np.mean(losses)


def train(epochs, seed=0):
    """The layers, and (training loss, held-out loss, held-out accuracy) of each epoch."""
    rng = np.random.default_rng(seed)
    digits = load_digits()
    x = (digits.images[:, None] / 16 - 0.3).astype(np.float32)
    order = rng.permutation(len(x))
    test, training = order[:HELD_OUT], order[HELD_OUT:]
    layers, history = network(rng), []
    for i in range(epochs):
        rate = RATE * 0.5 * (1 + np.cos(np.pi * i / epochs))
        loss = epoch(layers, x[training], digits.target[training], rate, rng)
        found = scores(layers, x[test])
        held_out = loss_and_gradient(found, digits.target[test])[0]
        right = (found.argmax(1) == digits.target[test]).mean()
        history.append((loss, held_out, right))
        print(f"epoch {i + 1:2}: loss {loss:.4f}, held out {held_out:.4f}, {right:.2%} right", flush=True)
    return layers, history, (x[test], digits.target[test])


def draw(path, layers, history, test):
    """The curves, the filters of the first layer and their maps of a digit, and the digits told wrongly."""
    from matplotlib.figure import Figure
    from panels import bare, mosaic

    x, labels = test
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    curve, filters, maps, wrong = figure.subplots(1, 4, width_ratios=[1.5, 1, 1, 1])
    losses = np.array(history)
    epochs = np.arange(1, len(losses) + 1)
    curve.semilogy(epochs, losses[:, 0], label="training")
    curve.semilogy(epochs, losses[:, 1], label=f"{len(x)} held out, {losses[-1, 2]:.1%} right")
    curve.set(xlabel="epoch", ylabel="cross-entropy")
    curve.legend(frameon=False)
    weight = layers[0].parameters[0][:, 0]
    limit = np.abs(weight).max()
    filters.imshow(mosaic(weight, columns=4, gap=1), cmap="RdBu_r", vmin=-limit, vmax=limit)
    bare(filters, "first layer: 3×3 filters, red +, blue −", fontsize=9)
    told = scores(layers, x).argmax(1)
    maps.imshow(mosaic(layers[1].x[0], columns=4, gap=1), cmap="magma")
    bare(maps, f"their maps of a {labels[0]}", fontsize=9)
    missed = np.flatnonzero(told != labels)[:9]
    if len(missed):
        wrong.imshow(mosaic(x[missed, 0], columns=3, gap=1), cmap="gray_r")
    said = ", ".join(f"{labels[i]}→{told[i]}" for i in missed)
    bare(wrong, f"told wrongly: {said or 'none'}", fontsize=9)
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="digits.png", help="the picture (default: %(default)s)")
    options = parser.parse_args()
    start = time.perf_counter()
    with pyconv.config(threads=1):  # layers this small gain nothing by more
        layers, history, test = train(options.epochs, options.seed)
    print(
        f"{time.perf_counter() - start:.1f} s, {history[-1][2]:.2%} of {len(test[0])} held-out digits right"
    )
    draw(options.output, layers, history, test)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
