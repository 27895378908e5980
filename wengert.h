#pragma once

// Everything a program needs to compute, record and differentiate.
#include "wengert/autodiff/backward.h"
#include "wengert/graph/buffer.h"
#include "wengert/graph/error.h"
#include "wengert/graph/flush_subnormals.h"
#include "wengert/graph/mode.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/random_stream.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/tensor.h"
#include "wengert/graph/var.h"
#include "wengert/ops/ops.h"
