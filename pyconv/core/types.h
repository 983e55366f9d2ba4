/* SPDX-License-Identifier: BSD-3-Clause */
/* Room for the struct of a form in a cut, asserted to suffice: the C of types.pxd. */
#ifndef PYCONV_CORE_TYPES_H
#define PYCONV_CORE_TYPES_H

#define PYCONV_ROOM(cut, size) ((void)sizeof(char[(size) <= sizeof(*(cut)) ? 1 : -1]), (void *)(cut))

#endif
