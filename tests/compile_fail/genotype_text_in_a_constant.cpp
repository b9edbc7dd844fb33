// error: this_text_is_no_genotype
#include <crispnas/genotype/text.hpp>
namespace cn = crispnas;

constexpr auto mine = cn::parse_genotype("|nor_conv_3x3~0|+|nor_conv_3x3~0|");
