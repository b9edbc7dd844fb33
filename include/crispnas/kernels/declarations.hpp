// The functions of the kernels without their definitions (see separate.hpp). What they do stands beside the
// definitions.
#pragma once

#include <torch/types.h>

#include <crispnas/kernels/separate.hpp>
#include <crispnas/kernels/state_edges.hpp>
#include <cstdint>
#include <memory>
#include <vector>

namespace crispnas::kernels {

at::Tensor to_blocked(const at::Tensor& x);
at::Tensor from_blocked(const std::vector<at::Tensor>& parts, std::int64_t batch);
at::Tensor from_blocked(const at::Tensor& x, std::int64_t batch);
at::Tensor preprocess(std::vector<at::Tensor> inputs, const at::Tensor& weight, const norm_state& norm,
                      std::int64_t batch, norm_mode mode);
at::Tensor reduce_inputs(std::vector<at::Tensor> inputs, const at::Tensor& conv_1, const at::Tensor& conv_2,
                         const norm_state& norm, std::int64_t batch, norm_mode mode);
std::vector<at::Tensor> mixed_state(const at::Tensor& x, const at::Tensor& op_weights,
                                    const at::Tensor& edge_weights, const std::vector<mixed_edge>& edges,
                                    const std::vector<at::Tensor>& nodes, state_shape shape, norm_mode mode,
                                    const std::vector<char>& used);
std::vector<at::Tensor> mixed_state(const std::shared_ptr<state_edges>& edges, const at::Tensor& x,
                                    const at::Tensor& op_weights, const at::Tensor& edge_weights,
                                    std::vector<at::Tensor> nodes, std::int64_t batch,
                                    const std::vector<char>& used, norm_mode mode);

}  // namespace crispnas::kernels
