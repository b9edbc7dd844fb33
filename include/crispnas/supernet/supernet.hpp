// The super-network: stem, cells that mix all operations on all edges, classifier; and alpha and beta beside the weights.
#pragma once

#include <ATen/CPUGeneratorImpl.h>

#include <crispnas/error.hpp>
#include <crispnas/nn/op.hpp>
#include <crispnas/spec/spec.hpp>
#include <crispnas/supernet/architecture.hpp>
#include <crispnas/supernet/fused_cell.hpp>
#include <crispnas/supernet/residual_block.hpp>
#include <crispnas/supernet/search_cell.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace crispnas {

/// What computes the cells.
enum class compute_path : std::uint8_t {
  automatic,  ///< the fused kernels where they can: on the CPU, float32 or float64; ops without a fused form join them
  stock,  ///< LibTorch's operations, one by one: any device, any op, the reference
  fused,  ///< the fused kernels, or an error that says why not
};

/// Quantities of a super-network (structure is in the spec).
struct supernet_options {
  int channels = 16;  ///< C of the first cells; doubled by every reduction
  int cells = 8;      ///< stacked: of the whole network; residual stages: of each of the three stages
  int classes = 10;
  int image_channels = 3;
  std::uint64_t seed = 0;  ///< of all initial values
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  architecture_noise noise{};
  compute_path path = compute_path::automatic;
};

/// Everything of a super-network that does not depend on its type.
class any_supernet : public torch::nn::Module {
 public:
  any_supernet(const space_table& space, std::span<const nn::op_factory> ops,
               const kernels::network_plan& plan, const supernet_options& options)
      : space_(space),
        options_(options),
        init_(checked_init(space, options)),
        architecture_(space, init_, options.noise) {
    if (space.layout == skeleton::stacked) {
      build_stacked(ops);
    } else {
      build_residual(ops);
    }
    if (uses_fused_path(plan)) {
      for (const auto& place : places_) {
        const auto& states = place.type == 0 ? plan.normal : plan.reduction;
        fused_.push_back(place.cell ? std::make_unique<fused_cell>(place.cell, space_, states) : nullptr);
      }
    }
  }

  /// Whether the cells run through the fused kernels.
  bool is_fused() const { return !fused_.empty(); }

  /// x: [batch, image_channels, h, w] -> logits [batch, classes], with the soft weights of alpha and beta.
  at::Tensor forward(const at::Tensor& x) { return forward(x, architecture_.weights()); }

  /// The same with given weights, one entry per cell type: soft ones without a gradient, or those of a cut.
  at::Tensor forward(const at::Tensor& x, const network_weights& weights) {
    check_input(x);
    const at::Tensor stem = stem_->forward(x);
    at::Tensor features = fused_.empty() ? stock_cells(stem, weights) : fused_cells(stem, weights);
    if (last_) features = last_->forward(features);
    const at::Tensor pooled = features.mean({2, 3});  // [batch, channels]
    return at::linear(pooled, classifier_weight_, classifier_bias_);
  }

  const space_table& space() const { return space_; }
  const supernet_options& options() const { return options_; }
  architecture& arch() { return architecture_; }
  const architecture& arch() const { return architecture_; }

  /// The weights of the network; alpha and beta are not among them.
  std::vector<at::Tensor> weights() const { return parameters(); }
  std::int64_t weight_count() const {
    std::int64_t count = 0;
    for (const auto& p : parameters()) count += p.numel();
    return count;
  }

  /// Whether training passes move the running statistics of batch norm.
  void update_statistics(bool on) {
    for (const auto& module : modules(false)) {  // without itself: it need not live in a shared_ptr
      if (auto* norm = dynamic_cast<nn::batch_norm*>(module.get())) norm->update_statistics(on);
    }
  }

  /// How often height and width are halved.
  int reductions() const {
    if (space_.layout != skeleton::stacked) return 2;
    int count = 0;
    for (int i = 0; i < options_.cells; ++i) count += reduces(i) ? 1 : 0;
    return count;
  }

 private:
  struct place_in_network {
    std::shared_ptr<search_cell> cell;
    std::shared_ptr<residual_block> block;
    int type = 0;
  };

  at::Tensor stock_cells(const at::Tensor& stem, const network_weights& weights) {
    at::Tensor previous = stem;
    at::Tensor older = stem;
    for (const auto& place : places_) {
      at::Tensor next;
      if (place.block) {
        next = place.block->forward(previous);
      } else {
        const at::Tensor both[2] = {older, previous};
        const std::span<const at::Tensor> inputs(both, 2);
        next = place.cell->forward(place.cell->table().inputs == 1 ? inputs.subspan(1) : inputs,
                                   weights[static_cast<std::size_t>(place.type)]);
      }
      older = previous;
      previous = next;
    }
    return previous;
  }

  at::Tensor fused_cells(const at::Tensor& stem, const network_weights& weights) {
    const std::int64_t batch = stem.size(0);
    fused_cell::state previous{kernels::to_blocked(stem)};
    fused_cell::state older = previous;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (places_[i].block) {  // between stages, in LibTorch's layout
        previous = {kernels::to_blocked(places_[i].block->forward(kernels::from_blocked(previous, batch)))};
        continue;
      }
      const fused_cell::state both[2] = {older, previous};
      const std::span<const fused_cell::state> inputs(both, 2);
      auto next = fused_[i]->forward(places_[i].cell->table().inputs == 1 ? inputs.subspan(1) : inputs,
                                     weights[static_cast<std::size_t>(places_[i].type)], batch);
      older = std::move(previous);
      previous = std::move(next);
    }
    return kernels::from_blocked(previous, batch);
  }

  bool uses_fused_path(const kernels::network_plan& plan) const {
    if (options_.path == compute_path::stock) return false;
    const bool can = has_fused_form(plan) && options_.device.is_cpu() &&
                     (options_.dtype == at::kFloat || options_.dtype == at::kDouble);
    if (!can && options_.path == compute_path::fused) {
      throw error(
          "crispnas::supernet: the fused kernels need the CPU, float32 or float64, and an op that has a "
          "fused form. Take compute_path::automatic or stock.");
    }
    return can;
  }

  static nn::init_context checked_init(const space_table& space, const supernet_options& o) {
    const auto fail = [](const std::string& what) { throw error("crispnas::supernet: " + what); };
    if (o.channels < 1) fail("channels = " + std::to_string(o.channels) + " is not positive.");
    if (o.cells < 1) fail("cells = " + std::to_string(o.cells) + " is not positive.");
    if (o.classes < 2) fail("classes = " + std::to_string(o.classes) + "; a classifier needs at least 2.");
    if (o.image_channels < 1)
      fail("image_channels = " + std::to_string(o.image_channels) + " is not positive.");
    // A stride-2 skip halves the channels that ops see once more (factorized reduce).
    if (space.layout == skeleton::stacked && o.channels % (2 * space.partial) != 0) {
      fail("channels = " + std::to_string(o.channels) + " is not a multiple of " +
           std::to_string(space.partial) + " * 2 (partial channels K = " + std::to_string(space.partial) +
           ", halved by factorized reduction). Take the next multiple, " +
           std::to_string((o.channels / (2 * space.partial) + 1) * 2 * space.partial) + ".");
    }
    if (space.layout != skeleton::stacked && o.channels % space.partial != 0) {
      fail("channels = " + std::to_string(o.channels) +
           " is not a multiple of K = " + std::to_string(space.partial) + ".");
    }
    if (!o.device.is_cpu() && !o.device.is_meta() && !(o.device.is_cuda() && at::hasCUDA())) {
      fail("device " + o.device.str() +
           " is not available here. Use cpu, or a LibTorch with CUDA on a machine with an NVIDIA driver.");
    }
    return {at::detail::createCPUGenerator(o.seed), o.device, o.dtype};
  }

  bool reduces(int cell) const { return cell == options_.cells / 3 || cell == 2 * options_.cells / 3; }

  void check_input(const at::Tensor& x) const {
    if (x.dim() != 4 || x.size(1) != options_.image_channels) {
      throw error("crispnas::supernet: images of shape [batch, " + std::to_string(options_.image_channels) +
                  ", height, width] are expected.");
    }
    const std::int64_t multiple = std::int64_t{1} << reductions();
    if (x.size(2) % multiple != 0 || x.size(3) % multiple != 0 || x.size(2) == 0 || x.size(3) == 0) {
      throw error("crispnas::supernet: images of " + std::to_string(x.size(2)) + " x " +
                  std::to_string(x.size(3)) + " cannot be halved " + std::to_string(reductions()) +
                  " times. Height and width must be multiples of " + std::to_string(multiple) +
                  "; pad the images, or take fewer cells.");
    }
  }

  void build_stem(int out) {
    stem_ = register_module("stem", std::make_shared<nn::sequence>());
    stem_->add(std::make_shared<nn::conv2d>(init_, nn::conv_shape{options_.image_channels, out, 3, 1, 1}));
    stem_->add(std::make_shared<nn::batch_norm>(init_, out, true));
    cells_ = register_module("cells", std::make_shared<torch::nn::Module>("cells"));
  }

  void build_classifier(int in) {
    auto classifier = register_module("classifier", std::make_shared<torch::nn::Module>("classifier"));
    const double bound = 1.0 / std::sqrt(double(in));
    classifier_weight_ =
        classifier->register_parameter("weight", init_.uniform({options_.classes, in}, bound));
    classifier_bias_ = classifier->register_parameter("bias", init_.uniform({options_.classes}, bound));
  }

  void add(place_in_network place) {
    const auto name = std::to_string(places_.size());
    if (place.cell) cells_->register_module(name, place.cell);
    if (place.block) cells_->register_module(name, place.block);
    places_.push_back(std::move(place));
  }

  void build_stacked(std::span<const nn::op_factory> ops) {
    constexpr int stem_multiplier = 3;
    int channels = options_.channels;
    int previous = stem_multiplier * channels;
    int older = previous;
    build_stem(previous);
    bool previous_reduces = false;
    for (int i = 0; i < options_.cells; ++i) {
      const bool reduction = reduces(i);
      if (reduction) channels *= 2;
      const cell_table& table = reduction ? space_.reduction : space_.normal;
      cell_place place{channels, {older, previous}, reduction, previous_reduces};
      if (table.inputs == 1) place.input_channels = {previous};
      add({std::make_shared<search_cell>(init_, space_, table, ops, place), nullptr, reduction ? 1 : 0});
      older = previous;
      previous = table.output == cell_output::concat ? table.nodes * channels : channels;
      previous_reduces = reduction;
    }
    build_classifier(previous);
  }

  void build_residual(std::span<const nn::op_factory> ops) {
    int channels = options_.channels;
    build_stem(channels);
    for (int stage = 0; stage < 3; ++stage) {
      for (int i = 0; i < options_.cells; ++i) {
        add({std::make_shared<search_cell>(init_, space_, space_.normal, ops,
                                           cell_place{channels, {}, false, false}),
             nullptr, 0});
      }
      if (stage == 2) break;
      add({nullptr, std::make_shared<residual_block>(init_, channels, 2 * channels), 0});
      channels *= 2;
    }
    last_ = register_module("lastact", std::make_shared<nn::sequence>());
    last_->add(std::make_shared<nn::batch_norm>(init_, channels, true));
    last_->add(std::make_shared<nn::relu>());
    build_classifier(channels);
  }

  space_table space_;
  supernet_options options_;
  nn::init_context init_;
  architecture architecture_;
  std::shared_ptr<nn::sequence> stem_;
  std::shared_ptr<torch::nn::Module> cells_;
  std::vector<place_in_network> places_;
  std::vector<std::unique_ptr<fused_cell>>
      fused_;  ///< one per place where the fused kernels compute; null for a block
  std::shared_ptr<nn::sequence> last_;
  at::Tensor classifier_weight_;
  at::Tensor classifier_bias_;
};

/// The super-network of a spec.
/// Throws crispnas::error where an option does not fit the structure.
template <search_spec Spec>
class supernet : public any_supernet {
 public:
  using spec_type = Spec;
  explicit supernet(const supernet_options& options = {})
      : any_supernet(table_v<Spec>, nn::detail::factories<typename Spec::ops>::table, kernels::plan_v<Spec>,
                     options) {}
};

}  // namespace crispnas
