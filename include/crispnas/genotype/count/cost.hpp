// What does a network cost, and by which convention is that counted? The convention stands beside every
// number.
#pragma once

#include <cstdint>
#include <string_view>

namespace crispnas {

/// Learnable parameters, and multiply-adds for one image.
struct cost {
  std::int64_t parameters = 0;
  std::int64_t multiply_adds = 0;

  constexpr cost& operator+=(const cost& other) {
    parameters += other.parameters;
    multiply_adds += other.multiply_adds;
    return *this;
  }
  friend constexpr cost operator+(cost a, const cost& b) { return a += b; }
  friend constexpr bool operator==(const cost&, const cost&) = default;
};

/// What counts as a multiply-add. Batch norm, pooling, additions and activations never do.
enum class counting_convention : std::uint8_t {
  conv_and_linear,                  ///< convolutions and linear layers, their biases left out
  conv_linear_and_classifier_bias,  ///< the same, and one for each bias of the classifier: NAS-Bench-201's
                                    ///< table
};

/// The convention in words, to be printed beside the numbers.
constexpr std::string_view describe(counting_convention convention) {
  return convention == counting_convention::conv_and_linear
             ? "parameters: all that are learned, the auxiliary head apart; multiply-adds: of one image, "
               "convolutions and "
               "linear layers without biases, no batch norm or pooling"
             : "parameters: all that are learned; multiply-adds: of one image, convolutions and linear "
               "layers and the biases "
               "of the classifier, no batch norm or pooling";
}

/// The count of a whole network. The auxiliary head is used in training alone; it is never in `network`, and
/// counts as nothing where it was not asked for.
struct network_count {
  cost network;
  cost auxiliary;
  counting_convention convention = counting_convention::conv_and_linear;

  constexpr std::int64_t parameters() const { return network.parameters; }
  constexpr std::int64_t multiply_adds() const { return network.multiply_adds; }
  friend constexpr bool operator==(const network_count&, const network_count&) = default;
};

namespace detail {

/// A convolution without bias that puts out `pixels`.
constexpr cost conv_cost(std::int64_t in, std::int64_t out, std::int64_t taps, std::int64_t pixels,
                         std::int64_t groups = 1) {
  const std::int64_t weights = in / groups * out * taps;
  return {weights, weights * pixels};
}

/// Scale and shift; none in a super-network's cells.
constexpr cost batch_norm_cost(std::int64_t channels, bool affine = true) {
  return {affine ? 2 * channels : 0, 0};
}

/// With bias, whose additions are counted where the convention says so.
constexpr cost classifier_cost(std::int64_t in, std::int64_t classes, counting_convention convention) {
  const std::int64_t biases =
      convention == counting_convention::conv_linear_and_classifier_bias ? classes : 0;
  return {in * classes + classes, in * classes + biases};
}

/// ReLU, 1x1 convolution, batch norm.
constexpr cost relu_conv_bn_cost(std::int64_t in, std::int64_t out, std::int64_t pixels, bool affine) {
  return conv_cost(in, out, 1, pixels) + batch_norm_cost(out, affine);
}

/// Two 1x1 convolutions of stride 2, each to half the channels: together one that puts out `pixels`.
constexpr cost factorized_reduce_cost(std::int64_t in, std::int64_t out, std::int64_t pixels, bool affine) {
  return conv_cost(in, out, 1, pixels) + batch_norm_cost(out, affine);
}

}  // namespace detail
}  // namespace crispnas
