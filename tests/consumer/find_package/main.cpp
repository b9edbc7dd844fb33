#include <crispnas/supernet/supernet.hpp>

namespace cn = crispnas;

struct eight : cn::spec<cn::darts_cell, cn::edges_8_of_14, cn::da2s<>> {};

int main() {
  cn::supernet<eight> net({.channels = 8, .cells = 3, .classes = 10});
  return net.forward(at::zeros({2, 3, 16, 16})).sizes() == at::IntArrayRef({2, 10}) ? 0 : 1;
}
