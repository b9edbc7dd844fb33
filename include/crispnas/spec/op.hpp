// Which operations are there? Tags: torch-free names of operations. The module behind a tag is built in nn/.
#pragma once

#include <concepts>
#include <string_view>

namespace crispnas {

/// What a genotype can hold (it stores names and genes inline, to be a template argument).
inline constexpr int longest_op_name = 31;
inline constexpr int most_genes = 64;

/// A type is an operation when it has a name: `static constexpr std::string_view name`. That is all the spec
/// layer asks; a super-network also asks for `static nn::layer_ptr make(const nn::op_context&)` of a user's own op
/// (nn/op.hpp), and counting for `static constexpr cost count(const op_place&)` (genotype/count/ops.hpp).
template <class T>
concept operation = requires {
  { T::name } -> std::convertible_to<std::string_view>;
};

/// The operations of the DARTS and the NAS-Bench-201 space under their published names.
namespace ops {
struct none {
  static constexpr std::string_view name = "none";
};
struct max_pool_3x3 {
  static constexpr std::string_view name = "max_pool_3x3";
};
struct avg_pool_3x3 {
  static constexpr std::string_view name = "avg_pool_3x3";
};
struct skip_connect {
  static constexpr std::string_view name = "skip_connect";
};
struct sep_conv_3x3 {
  static constexpr std::string_view name = "sep_conv_3x3";
};
struct sep_conv_5x5 {
  static constexpr std::string_view name = "sep_conv_5x5";
};
struct sep_conv_7x7 {
  static constexpr std::string_view name = "sep_conv_7x7";
};
struct dil_conv_3x3 {
  static constexpr std::string_view name = "dil_conv_3x3";
};
struct dil_conv_5x5 {
  static constexpr std::string_view name = "dil_conv_5x5";
};
struct conv_7x1_1x7 {
  static constexpr std::string_view name = "conv_7x1_1x7";
};
struct nor_conv_1x1 {
  static constexpr std::string_view name = "nor_conv_1x1";
};
struct nor_conv_3x3 {
  static constexpr std::string_view name = "nor_conv_3x3";
};
}  // namespace ops

}  // namespace crispnas
