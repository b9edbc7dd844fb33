// error: crispnas::spec: the edges of this cell are out of order\.
#include <array>
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct crooked {
  static constexpr int inputs = 1;
  static constexpr int nodes = 2;
  static constexpr std::array edges{cn::edge{0, 1}, cn::edge{0, 2}, cn::edge{1, 70}};
  using ops = cn::darts_ops;
  static constexpr auto output = cn::cell_output::concat;
  static constexpr auto layout = cn::skeleton::stacked;
};
struct mine : cn::spec<crooked, cn::keep_all> {};
