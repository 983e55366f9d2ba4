/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes back the short names of vocabulary.h, after the last template of a pair of instruction set and real type.
 */
#undef PYCONV_LEVEL
#undef PYCONV_IS_F32
#undef NAME
#undef real
#undef vec
#undef INLINE
#undef VECTOR_BYTES
#undef V
#undef v_load
#undef v_store
#undef v_set1
#undef v_fma
#undef v_max
#undef v_min
#undef v_load_n
#undef v_store_n
#undef v_even
#undef v_odd
#undef v_permute
#undef v_transpose
#undef v_load_turned
#undef v_keep
#undef LANES
#undef LANES_2
#undef LANES_4
#undef LANES_8
#undef LANES_16
#undef MR
#undef NR
#undef EPILOGUE
#undef EACH_M
#undef EACH_SUM
