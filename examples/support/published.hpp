// Whose checkpoints are read? The super-networks of the published code, as it has them.
#pragma once

#include <crispnas/search/configuration.hpp>
#include <string>
#include <vector>

namespace support {

namespace cn = crispnas;

inline const std::vector<std::string> published_names{"darts", "pc_darts", "daas", "fair_darts",
                                                      "nas_bench_201"};

/// DARTS and PC-DARTS have `none` among their ops; DAAS has not, and sees all channels; NAS-Bench-201 is
/// AutoDL's.
inline cn::configuration published_method(const std::string& name) {
  if (name == "darts")
    return cn::configuration_of<cn::darts_spec<cn::darts_cell_with_none, cn::partial_channels<1>>>();
  if (name == "daas") return cn::configuration_of<cn::authors_code_spec>();
  if (name == "fair_darts") return cn::configuration_of<cn::fair_darts_spec<cn::partial_channels<1>>>();
  if (name == "nas_bench_201") return cn::configuration_of<cn::darts_spec<cn::nas_bench_201_cell>>();
  return cn::configuration_of<cn::pc_darts_spec<cn::darts_cell_with_none>>();
}

}  // namespace support
