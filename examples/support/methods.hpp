// Which specs are compiled in? Methods, spaces and budgets by name; each is a table (a spec costs no second super-network).
#pragma once

#include <crispnas/search/configuration.hpp>
#include <crispnas/search/search_order.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

namespace cn = crispnas;

/// A budget of the DARTS cell by its number of kept edges.
struct budget_choice {
  int kept;
  cn::cell_table normal;
  cn::cell_table reduction;
};

/// A compiled-in question.
struct method_choice {
  std::string name;  ///< darts, pc_darts, control, da2s
  cn::configuration configuration;
  double strength = 1.0;  ///< factor on the regularizer; the control has 0
};

namespace detail {

template <class Budget>
budget_choice budget_of(int kept) {
  using tables = cn::budget_tables<cn::darts_cell, Budget>;
  return {kept, tables::normal, tables::reduction};
}

/// The K of the compiled-in specs.
template <template <int> class Make>
cn::configuration with_partial(int partial) {
  switch (partial) {
    case 1:
      return Make<1>::configuration();
    case 2:
      return Make<2>::configuration();
    default:
      return Make<4>::configuration();
  }
}

template <class Space, class Budget>
struct questions {
  template <int K>
  struct da2s {
    static auto configuration() {
      return cn::configuration_of<cn::spec<Space, cn::partial_channels<K>, Budget>>();
    }
  };
  template <int K>
  struct darts {
    static auto configuration() {
      return cn::configuration_of<cn::darts_spec<Space, cn::partial_channels<K>, Budget>>();
    }
  };
  template <int K>
  struct pc_darts {
    static auto configuration() {
      return cn::configuration_of<cn::pc_darts_spec<Space, cn::partial_channels<K>, Budget>>();
    }
  };
};

template <class Space, class Budget>
method_choice method_of(const std::string& name, int partial) {
  using q = questions<Space, Budget>;
  if (name == "darts") return {name, with_partial<q::template darts>(partial), 0.0};
  if (name == "pc_darts") return {name, with_partial<q::template pc_darts>(partial), 0.0};
  return {name, with_partial<q::template da2s>(partial), name == "control" ? 0.0 : 1.0};
}

}  // namespace detail

inline const std::vector<std::string> method_names{"da2s", "control", "darts", "pc_darts"};
inline const std::vector<std::string> order_names{"first", "second", "single"};
inline const std::vector<std::string> budget_names{"3", "4", "5", "6", "7", "8"};
inline const std::vector<std::string> partial_names{"1", "2", "4"};
inline const std::vector<std::string> space_names{"darts", "nas_bench_201"};

inline cn::search_order order_of(const std::string& name) {
  if (name == "second") return cn::search_order::second;
  return name == "single" ? cn::search_order::single_level : cn::search_order::first;
}

inline budget_choice darts_budget(int kept) {
  switch (kept) {
    case 3:
      return detail::budget_of<cn::edges_3_of_14>(3);
    case 4:
      return detail::budget_of<cn::edges_4_of_14>(4);
    case 5:
      return detail::budget_of<cn::edges_5_of_14>(5);
    case 6:
      return detail::budget_of<cn::edges_6_of_14>(6);
    case 7:
      return detail::budget_of<cn::edges_7_of_14>(7);
    default:
      return detail::budget_of<cn::edges_8_of_14>(8);
  }
}

/// A method on the DARTS cell with a budget of 3 to 8 edges and K of 1, 2 or 4.
inline method_choice darts_method(const std::string& name, int kept, int partial) {
  switch (kept) {
    case 3:
      return detail::method_of<cn::darts_cell, cn::edges_3_of_14>(name, partial);
    case 4:
      return detail::method_of<cn::darts_cell, cn::edges_4_of_14>(name, partial);
    case 5:
      return detail::method_of<cn::darts_cell, cn::edges_5_of_14>(name, partial);
    case 6:
      return detail::method_of<cn::darts_cell, cn::edges_6_of_14>(name, partial);
    case 7:
      return detail::method_of<cn::darts_cell, cn::edges_7_of_14>(name, partial);
    default:
      return detail::method_of<cn::darts_cell, cn::edges_8_of_14>(name, partial);
  }
}

/// A method on the NAS-Bench-201 cell, in which every edge is kept.
inline method_choice nas_bench_201_method(const std::string& name) {
  return detail::method_of<cn::nas_bench_201_cell, cn::keep_all>(name, 1);
}

}  // namespace support
