/* SPDX-License-Identifier: BSD-3-Clause */
/* All checks and benchmarks of one real type. */
#include "check_gemm.tmpl.h"

#include "check_gemm_planes.tmpl.h"
#include "check_gemm_shifts.tmpl.h"

#include "check_epilogue.tmpl.h"
#include "check_pack.tmpl.h"
#include "check_transpose.tmpl.h"

#include "check_depthwise.tmpl.h"
#include "check_depthwise_nhwc.tmpl.h"

#include "check_depthwise_grad.tmpl.h"
#include "check_direct.tmpl.h"
#include "check_f2k3_rows.tmpl.h"
#include "check_spread.tmpl.h"
#include "check_stage.tmpl.h"

#include "check_wino.tmpl.h"

#include "check_fft.tmpl.h"
#include "check_point.tmpl.h"

#include "bench.tmpl.h"
