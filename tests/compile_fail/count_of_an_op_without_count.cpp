// error: crispnas::op_cost: this operation has no count\.
#include <crispnas/genotype/count.hpp>
#include <string_view>
namespace cn = crispnas;

struct mine {
  static constexpr std::string_view name = "mine";
};
using my_spec = cn::spec<cn::dense_cell<2, 1, cn::op_set<mine>>>;
constexpr auto counted = cn::count_supernet<my_spec>();
