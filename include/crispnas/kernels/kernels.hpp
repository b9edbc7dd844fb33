// The fused CPU kernels of the mixed operation: the whole network stays in the blocked layout between
// to_blocked and from_blocked, and three differentiable functions do the work of a cell.
//   preprocess       the cell's inputs: ReLU, 1x1 convolution, batch norm
//   reduce_inputs    the same for an input that is twice as large: a factorized reduction
//   mixed_state      all mixed operations that leave one state, added to their nodes
#pragma once

#if defined(CRISPNAS_SEPARATE_KERNELS) && !defined(CRISPNAS_KERNELS_SOURCE)
#include <crispnas/kernels/declarations.hpp>
#else
#include <crispnas/kernels/layout.hpp>
#include <crispnas/kernels/mixed_state.hpp>
#include <crispnas/kernels/preprocess.hpp>
#endif
