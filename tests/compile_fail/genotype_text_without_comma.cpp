// error: crispnas::genotype_literal: this text is no genotype\..*54
#include <crispnas/genotype/literal.hpp>
namespace cn = crispnas;

constexpr auto mine =
    cn::genotype_literal<"Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect' 0)], normal_concat=[2])">;
