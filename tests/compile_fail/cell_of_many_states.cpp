// error: crispnas::spec: this cell is too large or empty\.
#include <array>
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct sparse {
  static constexpr int inputs = 1;
  static constexpr int nodes = 40;
  static constexpr std::array edges{cn::edge{0, 1}, cn::edge{1, 40}};
  using ops = cn::darts_ops;
  static constexpr auto output = cn::cell_output::concat;
  static constexpr auto layout = cn::skeleton::stacked;
};
struct mine : cn::spec<sparse, cn::keep_all> {};
