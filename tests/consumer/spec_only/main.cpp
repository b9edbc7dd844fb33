// The question as a type, on a machine without LibTorch.
#include <crispnas/spec.hpp>

namespace cn = crispnas;

struct eight : cn::spec<cn::darts_cell, cn::edges_8_of_14, cn::da2s<>> {};
static_assert(cn::edges_v<eight> == 14 && cn::kept_edges_v<eight> == 8);

int main() { return cn::kept_edges_v<eight> == 8 ? 0 : 1; }
