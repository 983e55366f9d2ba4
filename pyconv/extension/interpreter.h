/* SPDX-License-Identifier: BSD-3-Clause */
/* What differs between versions of Python and between compilers. */
#ifndef PYCONV_EXTENSION_INTERPRETER_H
#define PYCONV_EXTENSION_INTERPRETER_H

#include "Python.h"
#include "pythread.h"

#if PY_VERSION_HEX >= 0x030d0000
#define PYCONV_FINALIZING Py_IsFinalizing
#else
#define PYCONV_FINALIZING _Py_IsFinalizing
#endif

#if PY_VERSION_HEX < 0x030c0000
/* Cython asks before each prange in a nogil function, to release the GIL if it is held. While the interpreter ends, every
 * thread hears yes, and ends the process by releasing what it hasn't. */
#define PyGILState_Check() 0
#endif

#ifdef __VERSION__
#define PYCONV_COMPILER __VERSION__
#else
#define PYCONV_COMPILER "unknown"
#endif
#if defined(__clang__)
#define PYCONV_COMPILER_NAME "Clang"
#elif defined(__GNUC__)
#define PYCONV_COMPILER_NAME "GCC"
#else
#define PYCONV_COMPILER_NAME "C"
#endif

/* For Cython to raise what is set already. */
static inline int pyconv_raised(void) { return -1; }

/* 16 additions, each of the result before it. */
static inline uintptr_t pyconv_add_in_turn(uintptr_t x) {
    uintptr_t one = 1;
    for (int i = 0; i < 16; i++) {
        __asm__ volatile("" : "+r"(x), "+r"(one));
        x += one;
    }
    __asm__ volatile("" : "+r"(x));
    return x;
}

#endif
