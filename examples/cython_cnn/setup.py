# SPDX-License-Identifier: BSD-3-Clause
from Cython.Build import cythonize
from setuptools import Extension, setup

import pyconv

setup(ext_modules=cythonize([Extension("small_cnn", ["small_cnn.pyx"], include_dirs=[pyconv.get_include()])]))
