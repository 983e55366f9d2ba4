# SPDX-License-Identifier: BSD-3-Clause
from setuptools import Extension, setup

import pyconv

setup(
    ext_modules=[
        Extension(
            "frame_filter",
            ["frame_filter.c"],
            include_dirs=[pyconv.get_include()],
            extra_compile_args=["-pthread"],
            extra_link_args=["-pthread"],
        )
    ]
)
