// The network of a genotype, to be trained from scratch: DARTS's for CIFAR and for ImageNet, and NAS-Bench-201's. Parameters have the
// published names.
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/module.h>

#include <crispnas/derived/auxiliary_head.hpp>
#include <crispnas/derived/derived_cell.hpp>
#include <crispnas/error.hpp>
#include <crispnas/supernet/residual_block.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace crispnas {

/// What the cells stand in.
enum class derived_skeleton : std::uint8_t {
  cifar,          ///< 3x3 stem to 3 C channels, reductions at L/3 and 2L/3
  imagenet,       ///< three convolutions of stride 2, then the same
  nas_bench_201,  ///< three stages of cells of one input, residual blocks between them
};

struct derived_options {
  derived_skeleton skeleton = derived_skeleton::cifar;
  int channels = 36;  ///< C of the first cells
  int cells = 20;     ///< nas_bench_201: of each stage
  int classes = 10;
  int image_channels = 3;
  bool auxiliary = false;  ///< a second classifier after the cell at 2L/3, used in training
  std::uint64_t seed = 0;  ///< of initial values and dropped paths
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
};

namespace presets {
/// The networks that are trained after a search: C = 36, 20 cells (CIFAR); C = 48, 14 cells (ImageNet); C = 16, 5 cells a stage.
inline derived_options cifar_network(int classes = 10) { return {.classes = classes, .auxiliary = true}; }
inline derived_options imagenet_network(int classes = 1000) {
  return {.skeleton = derived_skeleton::imagenet,
          .channels = 48,
          .cells = 14,
          .classes = classes,
          .auxiliary = true};
}
inline derived_options nas_bench_201_network(int classes = 10) {
  return {.skeleton = derived_skeleton::nas_bench_201, .channels = 16, .cells = 5, .classes = classes};
}
}  // namespace presets

/// What a derived network puts out.
struct derived_output {
  at::Tensor logits;     ///< [batch, classes]
  at::Tensor auxiliary;  ///< [batch, classes] of the auxiliary head while training; undefined otherwise
};

/// A derived network whose genotype is known at run time.
class any_derived_network : public torch::nn::Module {
 public:
  /// Throws crispnas::error where the genotype does not fit the skeleton, names an op that `ops` lacks, or an option is out of range.
  explicit any_derived_network(const genotype& found, const derived_options& options = {},
                               std::span<const named_op> ops = named_ops<>())
      : genotype_(found), options_(options), init_(checked_init(found, options)), drop_(options.seed + 1) {
    if (options.skeleton == derived_skeleton::nas_bench_201) {
      build_residual(ops);
    } else {
      build_stacked(ops);
    }
  }

  /// x: [batch, image_channels, h, w].
  derived_output forward(const at::Tensor& x) {
    check_input(x);
    derived_output out;
    at::Tensor older = stem_[0]->forward(channels_last_ ? x.contiguous(at::MemoryFormat::ChannelsLast) : x);
    at::Tensor newer = stem_.size() > 1 ? stem_[1]->forward(older) : older;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const at::Tensor both[2] = {older, newer};
      const std::span<const at::Tensor> inputs(both, 2);
      at::Tensor next =
          blocks_[i] ? blocks_[i]->forward(newer)
                     : cells_[i]->forward(genotype_.normal.inputs == 1 ? inputs.subspan(1) : inputs, drop_);
      older = std::move(newer);
      newer = std::move(next);
      if (auxiliary_ && is_training() && static_cast<int>(i) == 2 * options_.cells / 3)
        out.auxiliary = auxiliary_->forward(newer);
    }
    if (last_) newer = last_->forward(newer);
    out.logits = classifier_->forward(newer.mean({2, 3}));
    return out;
  }

  const genotype& cell() const { return genotype_; }
  const derived_options& options() const { return options_; }
  /// Drops paths while training; its probability is 0 until it is set.
  path_dropper& drop_path() { return drop_; }

  /// Keeps the channels of a pixel side by side from here on: parameters now, images as they come in. Names, shapes and saved files
  /// stay; ATen's depthwise convolutions and their gradients are faster so.
  void use_channels_last() {
    at::NoGradGuard no_grad;
    for (at::Tensor& p : parameters()) {
      if (p.dim() == 4) p.set_data(p.contiguous(at::MemoryFormat::ChannelsLast));
    }
    channels_last_ = true;
  }
  bool channels_last() const { return channels_last_; }

  /// Learnable parameters without the auxiliary head, which is not part of the trained network.
  std::int64_t weight_count() const {
    std::int64_t count = 0;
    for (const auto& p : named_parameters()) {
      if (!p.key().starts_with("auxiliary_head.")) count += p.value().numel();
    }
    return count;
  }

 private:
  static nn::init_context checked_init(const genotype& found, const derived_options& o) {
    const auto fail = [](const std::string& what) { throw error("crispnas::derived_network: " + what); };
    const bool residual = o.skeleton == derived_skeleton::nas_bench_201;
    for (const auto& [name, value, least] :
         {std::tuple{"channels", o.channels, 1}, std::tuple{"cells", o.cells, 1},
          std::tuple{"classes", o.classes, 2}, std::tuple{"image_channels", o.image_channels, 1}}) {
      if (value < least)
        fail(std::string(name) + " = " + std::to_string(value) + "; it is to be " + std::to_string(least) +
             " or more.");
    }
    if (o.skeleton == derived_skeleton::imagenet && o.channels % 2 != 0) {
      fail("channels = " + std::to_string(o.channels) +
           " is odd; the stem for ImageNet begins with half of them. Take " + std::to_string(o.channels + 1) +
           ".");
    }
    if (o.auxiliary && o.cells < 2) fail("the auxiliary head needs a network of two cells or more.");
    constexpr const char* who = "crispnas::derived_network";
    if (residual) {
      detail::check_buildable_stages(who, found);
    } else {
      detail::check_buildable_stack(who, found);
    }
    if (residual && o.auxiliary) fail("a NAS-Bench-201 network has no auxiliary head.");
    if (!o.device.is_cpu() && !(o.device.is_cuda() && at::hasCUDA()))
      fail("device " + o.device.str() + " is not available here.");
    return {at::detail::createCPUGenerator(o.seed), o.device, o.dtype};
  }

  /// How often height and width are halved.
  int halvings() const {
    if (options_.skeleton == derived_skeleton::nas_bench_201) return 2;
    const int reductions = options_.cells / 3 == 2 * options_.cells / 3 ? 1 : 2;
    return reductions + (options_.skeleton == derived_skeleton::imagenet ? 3 : 0);
  }

  void check_input(const at::Tensor& x) const {
    const auto fail = [](const std::string& what) { throw error("crispnas::derived_network: " + what); };
    if (x.dim() != 4 || x.size(1) != options_.image_channels) {
      fail("images of shape [batch, " + std::to_string(options_.image_channels) +
           ", height, width] are expected.");
    }
    const std::int64_t multiple = std::int64_t{1} << halvings();
    if (x.size(2) % multiple != 0 || x.size(3) % multiple != 0 || x.numel() == 0) {
      fail("images of " + std::to_string(x.size(2)) + " x " + std::to_string(x.size(3)) +
           " cannot be halved " + std::to_string(halvings()) +
           " times. Height and width must be multiples of " + std::to_string(multiple) + ".");
    }
    // The head's 5 x 5 pool is to put out 2 x 2 of what the second reduction leaves.
    const bool imagenet = options_.skeleton == derived_skeleton::imagenet;
    const auto pools = [&](std::int64_t size) { return (size / multiple - 5) / (imagenet ? 2 : 3) == 1; };
    if (auxiliary_ && is_training() && !(pools(x.size(2)) && pools(x.size(3)))) {
      const std::string wanted = imagenet ? "224 x 224 or 256 x 256" : "32 x 32, 36 x 36 or 40 x 40";
      fail("the auxiliary head needs images of " + wanted + ". Build the network without it for others.");
    }
  }

  std::shared_ptr<nn::sequence> new_stem(const char* name) {
    stem_.push_back(register_module(name, std::make_shared<nn::sequence>()));
    return stem_.back();
  }
  static void add_conv_bn(const nn::init_context& init, nn::sequence& to, int in, int out, int stride) {
    to.add(std::make_shared<nn::conv2d>(init, nn::conv_shape{in, out, 3, stride, 1}));
    to.add(std::make_shared<nn::batch_norm>(init, out, true));
  }

  void add(std::shared_ptr<derived_cell> cell, std::shared_ptr<residual_block> block) {
    const auto name = std::to_string(cells_.size());
    if (cell) list_->register_module(name, cell);
    if (block) list_->register_module(name, block);
    cells_.push_back(std::move(cell));
    blocks_.push_back(std::move(block));
  }

  void build_stacked(std::span<const named_op> ops) {
    const bool imagenet = options_.skeleton == derived_skeleton::imagenet;
    int channels = options_.channels;
    int previous = imagenet ? channels : 3 * channels;
    int older = previous;
    bool previous_reduces = imagenet;
    if (imagenet) {
      auto first = new_stem("stem0");
      add_conv_bn(init_, *first, options_.image_channels, channels / 2, 2);
      first->add(std::make_shared<nn::relu>());
      add_conv_bn(init_, *first, channels / 2, channels, 2);
      auto second = new_stem("stem1");
      second->add(std::make_shared<nn::relu>());
      add_conv_bn(init_, *second, channels, channels, 2);
    } else {
      add_conv_bn(init_, *new_stem("stem"), options_.image_channels, previous, 1);
    }
    list_ = register_module("cells", std::make_shared<torch::nn::Module>("cells"));
    for (int i = 0; i < options_.cells; ++i) {
      const bool reduces = i == options_.cells / 3 || i == 2 * options_.cells / 3;
      if (reduces) channels *= 2;
      const cell_genotype& cell = reduces && genotype_.has_reduction ? genotype_.reduction : genotype_.normal;
      derived_place place{channels, {older, previous}, reduces, previous_reduces};
      if (cell.inputs == 1) place.input_channels = {previous};
      add(std::make_shared<derived_cell>(init_, cell, ops, place), nullptr);
      older = previous;
      previous = derived_cell::outputs(cell) * channels;
      previous_reduces = reduces;
      if (options_.auxiliary && i == 2 * options_.cells / 3) {
        auxiliary_ = register_module(
            "auxiliary_head", std::make_shared<auxiliary_head>(init_, previous, options_.classes, imagenet));
      }
    }
    classifier_ =
        register_module("classifier", std::make_shared<nn::linear>(init_, previous, options_.classes));
  }

  void build_residual(std::span<const named_op> ops) {
    int channels = options_.channels;
    add_conv_bn(init_, *new_stem("stem"), options_.image_channels, channels, 1);
    list_ = register_module("cells", std::make_shared<torch::nn::Module>("cells"));
    for (int stage = 0; stage < 3; ++stage) {
      if (stage > 0) {
        add(nullptr, std::make_shared<residual_block>(init_, channels, 2 * channels));
        channels *= 2;
      }
      for (int i = 0; i < options_.cells; ++i) {
        add(std::make_shared<derived_cell>(init_, genotype_.normal, ops,
                                           derived_place{channels, {}, false, false}),
            nullptr);
      }
    }
    last_ = register_module("lastact", std::make_shared<nn::sequence>());
    last_->add(std::make_shared<nn::batch_norm>(init_, channels, true));
    last_->add(std::make_shared<nn::relu>());
    classifier_ =
        register_module("classifier", std::make_shared<nn::linear>(init_, channels, options_.classes));
  }

  genotype genotype_;
  derived_options options_;
  nn::init_context init_;
  path_dropper drop_;
  bool channels_last_ = false;
  std::vector<std::shared_ptr<nn::sequence>> stem_;
  std::shared_ptr<torch::nn::Module> list_;
  std::vector<std::shared_ptr<derived_cell>> cells_;     ///< null where a block stands
  std::vector<std::shared_ptr<residual_block>> blocks_;  ///< null where a cell stands
  std::shared_ptr<auxiliary_head> auxiliary_;
  std::shared_ptr<nn::sequence> last_;
  std::shared_ptr<nn::linear> classifier_;
};

namespace detail {
template <class OpSet>
constexpr bool knows_all_ops(const genotype& found) {
  for (const cell_genotype* cell : {&found.normal, &found.reduction}) {
    for (const gene& g : *cell) {
      bool known = false;
      for (const named_op& op : named_ops<OpSet>::table) known = known || op.name == g.op.view();
      if (!known) return false;
    }
  }
  return true;
}
template <genotype Found, class OpSet>
concept has_a_module_for_each_op = knows_all_ops<OpSet>(Found);
}  // namespace detail

/// A derived network whose genotype is part of its type: a misspelled op is a compile error.
template <genotype Found, class OpSet = published_ops>
class derived_network : public any_derived_network {
  static_assert(
      detail::has_a_module_for_each_op<Found, OpSet>,
      "crispnas::derived_network: the genotype names an op that the op set lacks. Name the set that has it: "
      "derived_network<found, op_set<...>>.");

 public:
  static constexpr genotype found = Found;
  explicit derived_network(const derived_options& options = {})
      : any_derived_network(Found, options, named_ops<OpSet>()) {}
};

}  // namespace crispnas
