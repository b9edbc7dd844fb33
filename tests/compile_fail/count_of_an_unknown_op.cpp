// error: this_op_has_no_count
#include <crispnas/genotype/count.hpp>
#include <crispnas/genotype/text.hpp>
namespace cn = crispnas;

constexpr auto found = cn::parse_genotype("Genotype(normal=[0->2 my_op], normal_concat=[2])");
constexpr auto counted = cn::count_cifar_network(found);
