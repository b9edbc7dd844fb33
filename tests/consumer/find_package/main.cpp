// A user's own op, schedule, regularizer, cell graph and data set, with nothing in the library touched; the op joins the fused ones.
#include <cmath>
#include <crispnas/discretize/discretize.hpp>
#include <crispnas/genotype/text.hpp>
#include <crispnas/loss/da2s.hpp>
#include <crispnas/search/searcher.hpp>
#include <crispnas/spec.hpp>
#include <cstdio>

namespace cn = crispnas;

// An op: a tag with a name and a module.
class scaled_tanh final : public cn::nn::layer {
 public:
  explicit scaled_tanh(const cn::nn::op_context& c) : stride_(c.stride) {
    scale_ = register_parameter("scale", c.init.full({1, c.channels, 1, 1}, 1.0));
  }
  at::Tensor forward(const at::Tensor& x) override {
    return at::tanh(x.slice(2, 0, x.size(2), stride_).slice(3, 0, x.size(3), stride_)) * scale_;
  }

 private:
  int stride_;
  at::Tensor scale_;
};
struct tanh_op {
  static constexpr std::string_view name = "scaled_tanh";
  static cn::nn::layer_ptr make(const cn::nn::op_context& c) { return std::make_shared<scaled_tanh>(c); }
};

// A cell graph: two inputs, three nodes, the last of which does not see the inputs.
struct ladder {
  static constexpr int inputs = 2;
  static constexpr int nodes = 3;
  static constexpr std::array<cn::edge, 7> edges{{{0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}, {2, 4}, {3, 4}}};
  using ops = cn::op_set<cn::ops::skip_connect, cn::ops::sep_conv_3x3, tanh_op>;
  static constexpr cn::cell_output output = cn::cell_output::concat;
  static constexpr cn::skeleton layout = cn::skeleton::stacked;
};

// A schedule: a function of the epoch.
struct square_root {
  static double at(int epoch, int epochs) { return std::sqrt(double(epoch) / double(epochs)); }
};

// A regularizer: DA2S's op entropy under that schedule, and a pull of beta to its starting scale.
struct gentle {
  using slot = cn::slots::regularizer;
  static constexpr bool has_edge_term = true;
  static cn::loss_terms at(const cn::architecture& arch, int epoch, int epochs) {
    return {{"op_entropy", cn::op_entropy(arch), square_root::at(epoch, epochs)},
            {"beta_square", arch.beta(0).square().sum(), 0.01}};
  }
};

// A data set: five functions.
struct stripes {
  static constexpr std::int64_t count = 64;
  at::Tensor images() const {
    at::Tensor pixels = at::randint(0, 60, {count, 3, 8, 8}, at::kByte);
    for (std::int64_t i = 0; i < count; ++i) pixels[i].slice(1, 4 * (i % 2), 4 * (i % 2) + 4).add_(150);
    return pixels;
  }
  at::Tensor labels() const { return at::arange(count, at::kLong).remainder(2); }
  std::int64_t classes() const { return 2; }
  std::vector<double> mean() const { return {0.4, 0.4, 0.4}; }
  std::vector<double> stddev() const { return {0.3, 0.3, 0.3}; }
};

struct mine : cn::spec<ladder, cn::partial_channels<2>, gentle,
                       cn::edge_budget<cn::keep<2, cn::nodes<2, 3>>, cn::keep<1, cn::nodes<4>>>> {};
static_assert(cn::edges_v<mine> == 7 && cn::kept_edges_v<mine> == 3);

struct scheduled : cn::spec<cn::da2s<cn::lambda_c<square_root>>> {};

int main() {
  cn::supernet<mine> net({.channels = 8, .cells = 3, .classes = 2});
  cn::search_options options;
  options.epochs = 3;
  options.batch_size = 16;
  options.alpha_rate = options.beta_rate = 0.1;
  cn::searcher search(net, options);
  const stripes data;
  int epochs = 0;
  bool named = false;
  for (const auto& epoch : search.run(data)) {
    ++epochs;
    named = epoch.terms.size() == 2 && epoch.terms[1].name == "beta_square";
  }
  const auto found = cn::discretize(net);
  const auto gap = cn::discretization_gap(net, found, data);
  std::printf("%s\n%.1f -> %.1f\n", cn::to_text(found).c_str(), gap.before, gap.after);
  // DA2S with that schedule on top of all terms: lambda_c(1 of 4) = 1/2.
  cn::supernet<scheduled> net_of_schedule({.channels = 8, .cells = 1});
  const auto terms = cn::regularizer_terms<scheduled::regularizer>::at(net_of_schedule.arch(), 1, 4);
  const auto doubled = cn::regularizer_terms<scheduled::regularizer>::at(net_of_schedule.arch(), 4, 4);
  const bool by_schedule = terms.back().factor > 0 && terms.back().factor * 2 == doubled.back().factor;
  const bool kept = found.normal.kept_edges() == 3 && found.reduction.kept_edges() == 3;
  return epochs == 3 && named && kept && by_schedule && net.is_fused() && gap.before >= 0 ? 0 : 1;
}
