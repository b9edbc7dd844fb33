// The table of NAS-Bench-201: what it refuses, ranks, and the numbers of the real one; rank correlation.
#include "support/nas_bench_table.hpp"

#include <cmath>
#include <cstdlib>
#include <string>

#include "doctest.hpp"
#include "files.hpp"
#include "support/statistics.hpp"

namespace nas_bench_table_test {

namespace cn = crispnas;
using tests::message_of;
using tests::temporary_folder;

namespace {

const std::string header =
    "CIFAR10TestAccuracy200Epochs,CIFAR100TestAccuracy200Epochs,ImageNetTestAccuracy200Epochs,"
    "ArchitectureString,UniqueString\n";

/// Every cell once; its accuracies follow from its number.
std::string rows(int count = cn::nas_bench_201_cells) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += std::to_string(i / 200.0) + "," + std::to_string(90 - i / 200.0) + ",50," +
            cn::to_text(cn::nas_bench_201_genotype(i)) + ",x\n";
  }
  return text;
}

}  // namespace

TEST_CASE("a whole table: look-up, rank, bounds") {
  const temporary_folder folder;
  const support::nas_bench_table table(folder.write("all.csv", header + rows()));
  const auto& found = table.at(cn::nas_bench_201_genotype(1000));
  CHECK(found == support::nas_bench_table::entry{5.0, 85.0, 50.0});
  CHECK(table.rank(found) == 15625 - 1000);
  CHECK(table.rank(found, 1) == 1001);
  CHECK(table.rank(found, 2) == 1);  // all the same: none is better
  CHECK(table.best() == doctest::Approx(15624 / 200.0));
  CHECK(table.mean(2) == doctest::Approx(50.0));
}

TEST_CASE("what is no table is refused with its line") {
  const temporary_folder folder;
  const auto says = [&](const std::string& text) {
    const auto file = folder.write("t.csv", text);
    return message_of([&] { support::nas_bench_table table(file); });
  };
  const auto contains = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(contains(message_of([&] { support::nas_bench_table table(folder.path() / "none.csv"); }),
                 "none.csv' cannot be read"));
  CHECK(contains(message_of([&] { support::nas_bench_table table(folder.path()); }), "cannot be read"));
  CHECK(contains(message_of([&] { support::nas_bench_table table("/dev/zero"); }), "cannot be read"));
  std::filesystem::resize_file(folder.write("huge.csv", header), (std::uintmax_t{1} << 26) + 1);  // sparse
  CHECK(contains(message_of([&] { support::nas_bench_table table(folder.path() / "huge.csv"); }),
                 "larger than 64 MiB"));
  CHECK(contains(says("a,b,c\n"), "line 1: the columns should be"));
  CHECK(contains(says(header + "93.1,x,3,|none~0|\n"), "line 2: 'x' is no accuracy"));
  CHECK(contains(says(header + "93.1x,1,3,|none~0|\n"), "line 2: '93.1x' is no accuracy"));
  CHECK(contains(says(header + "\n\r\n93.1,x,3,|none~0|\n"),
                 "line 4: 'x' is no accuracy"));  // empty lines are none
  CHECK(contains(says(header + "93.1,101,3,|none~0|\n"), "'101' is no accuracy"));
  CHECK(contains(says(header + "93.1,nan,3,|none~0|\n"), "'nan' is no accuracy"));
  CHECK(contains(says(header + "93.1,1,3,|none~0|\n"), "line 2: "));
  CHECK(contains(says(header + rows(1) + rows(1)), "line 3: this cell stands in the table twice"));
  CHECK(contains(says(header + rows(15624)), "cell 15624 of 15625 has not come"));
  CHECK(contains(says(header + std::string(5000, 'x')), "more than 1000 characters"));
}

TEST_CASE("the real table" * doctest::test_suite("optional")) {
  const char* root = std::getenv("CRISPNAS_TEST_DATA");
  if (root == nullptr || *root == '\0') {
    MESSAGE(
        "NOT TESTED: set CRISPNAS_TEST_DATA to a folder with nasbench-201/nats_bench.csv to test on the real "
        "table.");
    return;
  }
  const support::nas_bench_table table(std::filesystem::path(root) / "nasbench-201" / "nats_bench.csv");
  CHECK(table.mean() == doctest::Approx(87.06).epsilon(1e-4));
  // What first-order DARTS is known to end with.
  const auto skips = cn::parse_genotype(
      "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|");
  CHECK(table.at(skips)[0] == doctest::Approx(54.30).epsilon(1e-4));
  int at_least_94 = 0;
  for (const auto& e : table.entries()) at_least_94 += e[0] >= 94.0;
  CHECK(at_least_94 == 42);
  CHECK(table.rank({table.best(), 0, 0}) == 1);
}

TEST_CASE("rank correlation: by hand, with ties, of constants") {
  CHECK(support::rank_correlation({1, 2, 3, 4}, {10, 20, 30, 40}) == doctest::Approx(1.0));
  CHECK(support::rank_correlation({1, 2, 3, 4}, {4, 3, 2, 1}) == doctest::Approx(-1.0));
  CHECK(support::rank_correlation({1, 2, 3, 4, 5}, {2, 1, 4, 3, 5}) == doctest::Approx(0.8));
  CHECK(support::ranks_of({5, 1, 5, 0}) == std::vector<double>{3.5, 2, 3.5, 1});
  CHECK(std::isnan(support::rank_correlation({1, 1, 1}, {1, 2, 3})));
}

}  // namespace nas_bench_table_test
