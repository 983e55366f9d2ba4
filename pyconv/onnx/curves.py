# SPDX-License-Identifier: BSD-3-Clause
"""Functions of single elements, as `pyconv`'s point kernel knows them, composed with straight lines."""

import math
from dataclasses import dataclass, replace

INF = math.inf


@dataclass(frozen=True)
class Curve:
    """
    A function of v by its kind:

    - clamp: ``clamp(p v + q, lo, hi)``
    - gate: ``v clamp(p v + q, lo, hi) + s``
    - leak: ``r max(v, 0) + p min(v, 0) + s``
    - sigmoid: ``r / (1 + exp(-p v)) + s``
    - silu: ``r v / (1 + exp(-p v)) + s``
    """

    kind: str = "clamp"
    p: float = 1.0
    q: float = 0.0
    lo: float = -INF
    hi: float = INF
    r: float = 1.0
    s: float = 0.0

    @property
    def is_line(self):
        return self.kind == "clamp" and (self.lo, self.hi) == (-INF, INF)

    @property
    def is_identity(self):
        return self.is_line and (self.p, self.q) == (1.0, 0.0)

    @property
    def is_clip(self):
        """Whether a convolution's last pass can do it."""
        return self.kind == "clamp" and (self.p, self.q) == (1.0, 0.0)

    def of_line(self, scale, shift):
        """Of ``scale v + shift`` instead of v, or None."""
        if self.kind == "clamp":
            return replace(self, p=self.p * scale, q=self.p * shift + self.q)
        if self.kind == "sigmoid" and shift == 0:
            return replace(self, p=self.p * scale)
        return None

    def then_line(self, scale, shift):
        """Of its result ``scale y + shift``."""
        if self.kind in ("clamp", "gate"):
            ends = sorted((_times(self.lo, scale), _times(self.hi, scale)))
            turned = replace(self, p=self.p * scale, q=self.q * scale, lo=ends[0], hi=ends[1])
            if self.kind == "gate":
                return replace(turned, s=self.s * scale + shift)
            return replace(turned, q=turned.q + shift, lo=ends[0] + shift, hi=ends[1] + shift)
        p = self.p * scale if self.kind == "leak" else self.p
        return replace(self, p=p, r=self.r * scale, s=self.s * scale + shift)

    def times_argument(self):
        """``v`` times this function of v, or None."""
        if self.kind == "clamp":
            return replace(self, kind="gate")
        if self.kind == "sigmoid" and self.s == 0:
            return replace(self, kind="silu")
        return None


def _times(end, scale):
    """An end of an interval; infinity times 0 is no end."""
    return 0.0 if scale == 0 else end * scale


LINE = Curve()
RELU = Curve(lo=0.0)


def hard_sigmoid(alpha, beta):
    return Curve(p=alpha, q=beta, lo=0.0, hi=1.0)


def hard_swish():
    return hard_sigmoid(1 / 6, 0.5).times_argument()


def leaky(alpha):
    return Curve("leak", p=alpha)
