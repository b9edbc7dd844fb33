// error: crispnas::op_set: this operation's name cannot be written into a genotype\..*1 to 31
#include <crispnas/spec.hpp>
namespace cn = crispnas;

struct wordy {
  static constexpr std::string_view name = "my_depthwise_separable_conv_3x3_v2";
};
struct mine : cn::spec<cn::dense_cell<2, 4, cn::op_set<cn::ops::skip_connect, wordy>>> {};
