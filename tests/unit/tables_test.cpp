// What tables are made of, without LibTorch: the ledger and what happens to it, statistics, scales, pages and figures.
#include <sys/resource.h>

#include <cerrno>
#include <cmath>
#include <crispnas/spec/spec.hpp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "doctest.hpp"
#include "failing_files.hpp"
#include "files.hpp"
#include "support/figures.hpp"
#include "support/ledger.hpp"
#include "support/ledger_lines.hpp"
#include "support/ledger_search.hpp"
#include "support/measured.hpp"
#include "support/statistics.hpp"
#include "support/table_pages.hpp"
#include "support/table_scale.hpp"

namespace tables_test {

using doctest::Approx;
using support::ledger;
using support::ledger_mode;
using tests::message_of;
using tests::temporary_folder;

namespace {

const char* const cell_3 =
    "Genotype(normal=[0->3 sep_conv_3x3, 1->4 skip_connect, 3->5 skip_connect], normal_concat=[3, 4, 5], "
    "reduce=[0->2 max_pool_3x3, 1->4 skip_connect, 0->5 skip_connect], reduce_concat=[2, 4, 5])";
const char* const other_3 =
    "Genotype(normal=[0->3 sep_conv_3x3, 1->4 sep_conv_3x3, 0->5 skip_connect], normal_concat=[3, 4, 5], "
    "reduce=[0->2 max_pool_3x3, 1->4 skip_connect, 0->5 skip_connect], reduce_concat=[2, 4, 5])";

nlohmann::json line(const std::string& hash, unsigned seed, double value) {
  return {{"hash", hash},
          {"seed", seed},
          {"K", 4},
          {"configuration", {{"kind", "retraining"}}},
          {"result", {{"error", value}}}};
}

/// What the ledger keeps of a search of two epochs.
nlohmann::json search_line() {
  nlohmann::json result{{"search_seconds", 1.5}, {"op_entropy", 0.5}, {"edge_entropy", nullptr}};
  for (int epoch = 1; epoch <= 2; ++epoch) {
    nlohmann::json one{{"epoch", epoch},       {"train_loss", 2.5}, {"train_accuracy", 12.5},
                       {"arch_loss", nullptr}, {"seconds", 1},      {"terms", {{"op_entropy", {1.5, 2}}}}};
    for (int type = 0; type < 2; ++type) {
      one["ops"].push_back(std::vector<double>(std::size_t{14} * 7, 1.0 / 7));
      one["edges"].push_back(std::vector<double>(14, 0.25 * epoch));
    }
    result["epochs"].push_back(one);
  }
  result["cuts"].push_back(
      {{"kept", 3},
       {"genotype", cell_3},
       {"gap",
        {{"before", 50}, {"after", 12.5}, {"ops_cut", 25}, {"edges_cut", 25}, {"after_soft_edges", 12.5}}}});
  return {{"hash", "a"}, {"seed", 0U}, {"configuration", {{"kind", "search"}}}, {"result", result}};
}

std::string read(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A ledger of two lines; its text.
std::string two_lines(const std::filesystem::path& path) {
  ledger done(path, ledger_mode::append);
  done.append(line("a", 0, 0.1));
  done.append(line("a", 1, 1.0 / 3));
  return read(path);
}

support::measured arm(const std::string& name, int kept, std::vector<double> errors, double lost = 0) {
  support::measured m;
  m.name = name;
  m.kept = kept;
  m.wanted = m.wanted_errors = errors.size();
  for (std::size_t i = 0; i < errors.size(); ++i) {
    m.seeds.push_back(i);
    m.before.push_back(80);
    m.after.push_back(80 - lost - double(i) / 10);
    m.op_entropy.push_back(0.5);
    m.seconds.push_back(864);
    m.devices.emplace_back("a CPU");
    m.genotypes.emplace_back(i % 2 == 0 ? cell_3 : other_3);
  }
  m.error = std::move(errors);
  return m;
}

}  // namespace

TEST_CASE("ledger: what is appended is found, by this run and by the next one") {
  const temporary_folder folder;
  const auto path = folder.path() / "ledger.jsonl";
  two_lines(path);
  ledger done(path, ledger_mode::append);
  CHECK(done.size() == 2);
  CHECK(done.torn().empty());
  REQUIRE(done.find("a", 1) != nullptr);
  CHECK((*done.find("a", 1))["result"]["error"].get<double>() == 1.0 / 3);  // to the last bit
  CHECK(done.find("a", 2) == nullptr);
  CHECK(done.find("b", 1) == nullptr);
  done.append(line("b", 1, 2));
  CHECK(done.find("b", 1) != nullptr);
}

TEST_CASE("ledger: a line cut off anywhere is told, and done again") {
  const temporary_folder folder;
  const auto path = folder.path() / "ledger.jsonl";
  const std::string whole = two_lines(path);
  const std::size_t second = whole.find('\n') + 1;
  for (std::size_t end = second + 1; end + 1 < whole.size(); ++end) {
    folder.write("ledger.jsonl", whole.substr(0, end));
    {
      const ledger reader(path, ledger_mode::read);
      CHECK(reader.size() == 1);
      CHECK_SAYS(reader.torn(), "line 2: torn");
    }
    CHECK(read(path).size() == end);  // reading changes nothing
    {
      ledger done(path, ledger_mode::append);
      CHECK(done.size() == 1);
      CHECK_SAYS(done.torn(), "line 2: torn");
      done.append(line("a", 1, 1.0 / 3));
    }
    CHECK(read(path) == whole);
  }
}

TEST_CASE("ledger: only the line break is missing") {
  const temporary_folder folder;
  const auto path = folder.path() / "ledger.jsonl";
  const std::string whole = two_lines(path);
  folder.write("ledger.jsonl", whole.substr(0, whole.size() - 1));
  const ledger done(path, ledger_mode::append);
  CHECK(done.size() == 2);
  CHECK(done.torn().empty());
  CHECK(read(path) == whole);
}

TEST_CASE("ledger: any other damage is an error that names file and line") {
  const temporary_folder folder;
  const auto path = folder.path() / "ledger.jsonl";
  const std::string whole = two_lines(path);
  const auto opened = [&](const std::string& text, ledger_mode mode) {
    folder.write("ledger.jsonl", text);
    return message_of([&] { const ledger done(path, mode); });
  };
  for (const auto mode : {ledger_mode::append, ledger_mode::read}) {
    CHECK_SAYS(opened("{\"a\":\n" + whole, mode), "ledger.jsonl', line 1: this is no JSON");
    CHECK_SAYS(opened(whole + "\n", mode), "line 3: this is no JSON");
    CHECK_SAYS(opened(whole + "{}\n", mode), "line 3: hash, seed, result or sum is missing");
    CHECK_SAYS(opened(whole + "[1]\n", mode), "line 3: hash");
    nlohmann::json all = line("a", 1, 0.5);
    all["sum"] = "0";
    CHECK_SAYS(opened(all.dump() + "\n", mode), "line 1: it has been changed");
    for (const char* key : {"hash", "seed", "result", "sum"}) {
      CAPTURE(key);
      nlohmann::json wrong = all;
      wrong.erase(key);
      CHECK_SAYS(opened(wrong.dump() + "\n", mode), "line 1: hash, seed, result or sum is missing");
      wrong[key] = nullptr;
      CHECK_SAYS(opened(wrong.dump() + "\n", mode), "line 1: hash, seed, result or sum is missing");
    }
    std::string changed = whole;
    changed.replace(changed.find("0.1"), 3, "0.2");
    CHECK_SAYS(opened(changed, mode), "line 1: it has been changed");
    CHECK(read(path) == changed);
  }
}

TEST_CASE("ledger: a line with a sum that is right and a result of another shape is an error, too") {
  using pointer = nlohmann::json::json_pointer;
  const temporary_folder folder;
  // Without reading it, whatever its sum: somebody can make that again.
  const auto opened = [&](nlohmann::json line) {
    line["sum"] = support::ledger_sum(line);
    const auto path = folder.write("ledger.jsonl", line.dump() + "\n");
    return message_of([&] { const ledger l(path, ledger_mode::read); });
  };
  const auto with = [&](nlohmann::json line, const char* where, const nlohmann::json& value) {
    line[pointer(where)] = value;
    return opened(line);
  };
  const auto without = [&](nlohmann::json line, const char* where) {
    auto& owner = line[pointer(where).parent_pointer()];
    owner.erase(pointer(where).back());
    return opened(line);
  };
  const nlohmann::json search = search_line(), training = line("a", 0, 12.5);
  REQUIRE(opened(search).empty());
  REQUIRE(opened(training).empty());
  CHECK_SAYS(opened({{"hash", "a"}, {"seed", 0U}, {"result", {{"error", 1}}}}),
             "ledger.jsonl', line 1: it has no result that can be shown: the line has no \"configuration\". "
             "Take the line out");
  CHECK_SAYS(with(training, "/configuration/kind", "other"), "is neither \"search\" nor \"retraining\"");
  CHECK_SAYS(with(training, "/configuration", 3), "\"configuration\" is not an object");
  CHECK_SAYS(with(training, "/configuration/kind", "search"), "\"result\" has no \"search_seconds\"");
  CHECK_SAYS(with(training, "/device", 3), "\"device\" is not a text");
  CHECK_SAYS(without(training, "/result/error"), "\"result\" has no \"error\"");
  for (const char* key : {"/result/error", "/result/top5_error"})
    CHECK_SAYS(with(training, key, 1e300), "is not a number from 0 to 100");
  CHECK_SAYS(with(training, "/result/loss", "a"), "\"loss\" is not a number");
  CHECK(with(training, "/result/loss", nullptr).empty());
  for (const char* key : {"/result/search_seconds",
                          "/result/op_entropy",
                          "/result/edge_entropy",
                          "/result/epochs",
                          "/result/cuts",
                          "/result/epochs/1/epoch",
                          "/result/epochs/1/train_loss",
                          "/result/epochs/1/train_accuracy",
                          "/result/epochs/1/arch_loss",
                          "/result/epochs/1/seconds",
                          "/result/epochs/0/ops",
                          "/result/epochs/1/ops",
                          "/result/epochs/0/edges",
                          "/result/epochs/1/edges",
                          "/result/cuts/0/kept",
                          "/result/cuts/0/genotype",
                          "/result/cuts/0/gap",
                          "/result/cuts/0/gap/before",
                          "/result/cuts/0/gap/after",
                          "/result/cuts/0/gap/ops_cut",
                          "/result/cuts/0/gap/edges_cut",
                          "/result/cuts/0/gap/after_soft_edges"}) {
    CAPTURE(key);
    CHECK_SAYS(without(search, key), " has no \"" + pointer(key).back() + "\"");
    CHECK_SAYS(with(search, key, true), "\"" + pointer(key).back() + "\" is not ");
  }
  const nlohmann::json none = nlohmann::json::array(), numbers = std::vector<double>(14, 0.5);
  CHECK_SAYS(with(search, "/result/epochs", none), "\"epochs\" is not a list of epochs");
  CHECK_SAYS(with(search, "/result/cuts", none), "\"cuts\" is not a list of cuts");
  CHECK_SAYS(with(search, "/result/epochs/1/ops/0", numbers),
             "\"epochs\" 2, \"ops\" 1 is not a number for each op of each edge");
  CHECK_SAYS(with(search, "/result/epochs/1/ops/1/97", "a"), "\"ops\" 2 98 is not a number");
  CHECK_SAYS(with(search, "/result/epochs/1/ops/2", numbers), "is not a list for each cell");
  CHECK_SAYS(with(search, "/result/epochs/1/edges/1", none), "is not a number for each edge");
  CHECK_SAYS(with(search, "/result/epochs/1/edges/1", nullptr), "\"edges\" 2 is not as in the first epoch");
  CHECK_SAYS(with(search, "/result/epochs/0/edges/1", nullptr), "\"edges\" 2 is not as in the first epoch");
  CHECK_SAYS(with(search, "/result/epochs/1/epoch", 1e300), "is not a whole number");
  CHECK_SAYS(with(search, "/result/epochs/1/epoch", std::int64_t{1} << 40), "is not a whole number");
  CHECK_SAYS(with(search, "/result/epochs/1/weight_rate", "a"), "\"weight_rate\" is not a number");
  CHECK_SAYS(with(search, "/result/epochs/1/terms", 3), "\"terms\" is not an object");
  CHECK_SAYS(without(search, "/result/epochs/1/terms"), "lacks the term \"op_entropy\"");
  CHECK_SAYS(with(search, "/result/epochs/1/terms/b", {1, 2}), "has other terms than the first epoch");
  CHECK_SAYS(with(search, "/result/epochs/1/terms/op_entropy", {1}), "is not a value and a factor");
  CHECK(without(search, "/result/epochs/0/terms").empty());  // alpha and beta waited
  auto of_no_terms = search;
  of_no_terms["result"]["epochs"][0]["terms"] = nlohmann::json::object();
  CHECK_SAYS(without(of_no_terms, "/result/epochs/1/terms"), "has other terms than the first epoch");
  CHECK_SAYS(with(search, "/result/cuts/0/genotype", "Genotype("), "is no genotype: ");
  CHECK_SAYS(with(search, "/result/cuts/0/genotype", "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"),
             "is not a normal and a reduction cell of two inputs");
  CHECK(with(search, "/result/cuts/0/genotype", "").empty());  // a cell was left without ops
  CHECK_SAYS(with(search, "/result/cuts/0/gap/after_batch_norm_reestimated", 101), "from 0 to 100");
  // What would not be read is not written.
  ledger done(folder.path() / "new.jsonl", ledger_mode::append);
  CHECK_SAYS(message_of([&] { done.append(line("a", 0, 101)); }), "\"error\" is not a number from 0 to 100");
  CHECK(std::filesystem::file_size(done.path()) == 0);
}

TEST_CASE("ledger: what the history of a search is read by is its own space") {
  const auto result = search_line()["result"];
  const auto history = support::history_of(crispnas::table_v<crispnas::authors_code_spec>, result);
  REQUIRE(history.cells.size() == 2);
  CHECK(history.cells[1].op_weights[1][13] == std::vector<double>(7, 1.0 / 7));
  CHECK(history.cells[1].edge_weights[1] == std::vector<double>(14, 0.5));
  CHECK(history.epochs[0].terms[0].factor == 2);
  CHECK(std::isnan(history.epochs[0].arch_loss));
  CHECK_SAYS(message_of([&] {
               support::history_of(crispnas::table_v<crispnas::spec<crispnas::darts_cell_with_none>>, result);
             }),
             "a space of other edges or ops: it has 98 weights of ops");
  CHECK(support::genotype_text(support::cut_of(result, 3)) == cell_3);
  CHECK(support::cut_of(result, 8) == nullptr);
  CHECK(support::genotype_text(nullptr).empty());
}

TEST_CASE("ledger: a line of more than a mebibyte is kept, and what would be too long is known before") {
  const temporary_folder folder;
  nlohmann::json long_one = search_line();
  auto& epochs = long_one["result"]["epochs"];
  while (epochs.size() < 700) epochs.push_back(epochs[1]);
  ledger(folder.path() / "l.jsonl", ledger_mode::append).append(long_one);
  CHECK(std::filesystem::file_size(folder.path() / "l.jsonl") > 1 << 20);
  CHECK(ledger(folder.path() / "l.jsonl", ledger_mode::read).size() == 1);
  CHECK(support::search_line_bytes(20000) < support::ledger_line_limits.bytes);
  CHECK(support::search_line_bytes(100000) > support::ledger_line_limits.bytes);
}

TEST_CASE("ledger: beyond what is read nothing is written") {
  const temporary_folder folder;
  const auto path = folder.path() / "ledger.jsonl";
  const std::string whole = two_lines(path);
  const auto most = whole.size() + 10;
  {
    ledger done(path, ledger_mode::append, crispnas::system_files(), most);
    CHECK(done.bytes() == whole.size());
    CHECK(done.room() == 10);
    CHECK_SAYS(message_of([&] { done.append(line("b", 0, 1)); }), "ledger.jsonl' is full: with this line");
    CHECK(done.find("b", 0) == nullptr);
  }
  CHECK(read(path) == whole);
  CHECK(ledger(path, ledger_mode::append, crispnas::system_files(), most).size() == 2);
  // Nor the line break that a line lacks.
  folder.write("ledger.jsonl", whole.substr(0, whole.size() - 1));
  CHECK_SAYS(message_of([&] {
               const ledger done(path, ledger_mode::append, crispnas::system_files(), whole.size() - 1);
             }),
             "is full");
}

TEST_CASE("ledger: one run at a time, readers beside it") {
  const temporary_folder folder;
  const auto path = folder.path() / "ledger.jsonl";
  two_lines(path);
  const ledger first(path, ledger_mode::append);
  CHECK_SAYS(message_of([&] { const ledger second(path, ledger_mode::append); }), "is in use by another run");
  CHECK(ledger(path, ledger_mode::read).size() == 2);
}

TEST_CASE("ledger: to read where there is none, and where none can be") {
  const temporary_folder folder;
  CHECK(ledger(folder.path() / "none.jsonl", ledger_mode::read).size() == 0);
  CHECK_FALSE(std::filesystem::exists(folder.path() / "none.jsonl"));
  CHECK_SAYS(message_of([&] { const ledger l(folder.path() / "no" / "l.jsonl", ledger_mode::append); }),
             "cannot be opened");
  ledger reader(folder.path() / "none.jsonl", ledger_mode::read);
  CHECK_SAYS(message_of([&] { reader.append(line("a", 0, 0)); }), "for reading only");
}

TEST_CASE("ledger: where there is no room, no half line is left") {
  const temporary_folder folder;
  const auto path = folder.path() / "ledger.jsonl";
  const std::string whole = two_lines(path);
  ledger done(path, ledger_mode::append);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit little{whole.size() + 10, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &little) == 0);
  const auto said = message_of([&] { done.append(line("b", 0, 1)); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK_SAYS(said, "cannot be written (File too large); free there: ");
  CHECK(read(path) == whole);
  CHECK(done.find("b", 0) == nullptr);
  done.append(line("b", 0, 1));
  CHECK(done.find("b", 0) != nullptr);
}

TEST_CASE(
    "ledger: each call of the system fails once: what was there stays, a line is there as a whole or not at "
    "all") {
  using tests::fault;
  const std::vector<fault> faults{fault::io_error,    fault::no_space,    fault::interrupted,
                                  fault::short_count, fault::exit_before, fault::exit_after};
  for (const fault what : faults) {
    for (int number = 1;; ++number) {
      CAPTURE(static_cast<int>(what));
      CAPTURE(number);
      const temporary_folder folder;
      const auto path = folder.path() / "ledger.jsonl";
      const std::string whole = two_lines(path);
      folder.write("ledger.jsonl", whole + R"({"hash": "to)");  // torn: it is mended first
      tests::failing_files calls(number, what);
      const auto said = message_of([&] {
        ledger done(path, ledger_mode::append, calls);
        done.append(line("b", 0, 1));
      });
      if (what == fault::interrupted || what == fault::short_count) CHECK(said.empty());
      if (what == fault::no_space && !said.empty())
        CHECK_SAYS(said, "(No space left on device); free there: ");
      for (const bool power_fails : {false, true}) {
        if (power_fails) calls.lose_power();
        ledger after(path, ledger_mode::append);
        CHECK(after.find("a", 0) != nullptr);
        CHECK(after.find("a", 1) != nullptr);
        if (said.empty()) CHECK(after.find("b", 0) != nullptr);
        CHECK(after.size() == (after.find("b", 0) == nullptr ? 2 : 3));
      }
      if (!calls.met()) break;
    }
  }
}

TEST_CASE("ledger: half a line that cannot be taken back is the last one of a run") {
  struct short_of_room final : crispnas::file_calls {
    int written = 0;
    std::ptrdiff_t write(int file, const void* from, std::size_t bytes) override {
      if (++written == 1) return file_calls::write(file, from, bytes / 2);
      errno = ENOSPC;
      return -1;
    }
    int truncate(const char*, std::int64_t) override {
      errno = EIO;
      return -1;
    }
  } calls;
  const temporary_folder folder;
  const auto path = folder.path() / "ledger.jsonl";
  const std::string whole = two_lines(path);
  ledger done(path, ledger_mode::append, calls);
  CHECK_SAYS(message_of([&] { done.append(line("b", 0, 1)); }), "No space left on device");
  CHECK_SAYS(message_of([&] { done.append(line("b", 0, 1)); }), "it ends in half a line");
  CHECK(read(path).size() > whole.size());
  CHECK(read(path).starts_with(whole));
}

TEST_CASE("statistics: standard error, interval, t") {
  const std::vector<double> values{1, 2, 3, 4};
  CHECK(support::mean_of(values) == 2.5);
  CHECK(support::deviation_of(values) == Approx(std::sqrt(5.0 / 3)));
  CHECK(support::standard_error_of(values) == Approx(std::sqrt(5.0 / 12)));
  CHECK(support::interval_of(values) == Approx(3.1824 * std::sqrt(5.0 / 12)));
  CHECK(std::isinf(support::interval_of({1})));
  CHECK(support::standard_error_of({1}) == 0);
  CHECK(std::isinf(support::t_quantile(0)));
  CHECK(support::t_quantile(2) == Approx(4.3027));
  CHECK(support::t_quantile(30) == Approx(2.0423));
  CHECK(support::t_quantile(31) == Approx(2.0395).epsilon(1e-4));  // of a table of the distribution
  CHECK(support::t_quantile(120) == Approx(1.9799).epsilon(1e-4));
  CHECK(support::mean_text_with_error(values) == "2.50 +- 1.29 (0.65)");
  CHECK(support::mean_text_with_error({}) == "not run");
  CHECK(support::mean_text_with_error({1.234}, 1) == "1.2");
}

TEST_CASE("statistics: an order only beyond two standard errors and beyond Welch's t test") {
  using support::order_claim;
  // Standard error of each mean 1, of the difference sqrt 2.
  const auto around = [](double m) { return std::vector<double>{m - std::sqrt(3.0), m, m + std::sqrt(3.0)}; };
  REQUIRE(support::standard_error_of(around(0)) == Approx(1));
  // 4 degrees of freedom: 2.7764 of them.
  CHECK(support::compare(around(0), around(3.92)) == order_claim::none);
  CHECK(support::compare(around(0), around(3.94)) == order_claim::lower);
  CHECK(support::compare(around(3.94), around(0)) == order_claim::higher);
  CHECK(support::compare({0, 2}, {6, 8}) == order_claim::none);  // 2 degrees of freedom: 4.3027 times sqrt 2
  CHECK(support::compare({0, 2}, {7, 9}) == order_claim::lower);
  // One side without deviation: 1 degree, 12.7062 times 1.
  CHECK(support::compare({0, 2}, {13, 13}) == order_claim::none);
  CHECK(support::compare({0, 2}, {14, 14}) == order_claim::lower);
  CHECK(support::compare({0}, {100, 101}) == order_claim::none);  // one value has no error to go by
  CHECK(support::claim_text("error", {"a", around(0)}, {{"b", around(9)}, {"c", around(1)}, {"d", {}}}) ==
        "error: a lower than b; no order with c");
  CHECK(support::claim_text("error", {"a", {}}, {{"b", around(9)}}) == "error: a not compared (not run)");
}

TEST_CASE("statistics: what seeds agree on, what they chose") {
  CHECK(std::isnan(support::agreement_of({{"a"}})));
  CHECK(support::agreement_of({{"a", "b"}, {"b", "a"}}) == 1);
  CHECK(support::agreement_of({{"a", "b"}, {"b", "c"}, {"a", "b"}}) == Approx((1.0 / 3 + 1 + 1.0 / 3) / 3));
  CHECK(support::agreement_of({{}, {}}) == 1);
  const auto agreement = support::agreement_of_cells({cell_3, other_3});
  CHECK(agreement.edges == Approx(5.0 / 7));
  CHECK(agreement.edges_and_ops == Approx(4.0 / 8));
  const auto counts = support::op_counts({cell_3, other_3});
  CHECK(counts.at("skip_connect") == 7);
  CHECK(counts.at("sep_conv_3x3") == 3);
  CHECK(counts.at("max_pool_3x3") == 2);
}

TEST_CASE(
    "ledger: a full quota is told, with what is free where that is known, and a last line without a break "
    "read") {
  struct full_quota final : crispnas::file_calls {
    bool knows = true;
    std::ptrdiff_t write(int, const void*, std::size_t) override {
      errno = EDQUOT;
      return -1;
    }
    int free_bytes(const char* path, std::uint64_t& bytes) override {
      return knows ? file_calls::free_bytes(path, bytes) : -1;
    }
  } calls;
  const temporary_folder folder;
  const auto path = folder.path() / "l.jsonl";
  for (const bool knows : {true, false}) {
    calls.knows = knows;
    ledger full(path, ledger_mode::append, calls);
    const auto message = message_of([&] { full.append(line("a", 1, 10)); });
    CHECK_SAYS(message, "Disk quota exceeded");
    CHECK((message.find("; free there: ") != std::string::npos) == knows);
  }
  ledger(path, ledger_mode::append).append(line("a", 1, 10));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  CHECK(ledger(path, ledger_mode::read).size() == 1);
}

TEST_CASE("scales: the names, a file, changes for single tables") {
  const temporary_folder folder;
  const auto paper = support::scale_of_table(support::scale_document("paper"), 4);
  CHECK(paper.epochs == 50);
  CHECK(paper.cells == 8);
  CHECK(paper.retrain_epochs == 600);
  CHECK(paper.retrain == "derived");
  const auto cpu = support::scale_document("cpu");
  CHECK(support::scale_of_table(cpu, 4).images == 10000);
  CHECK(support::scale_of_table(cpu, 2).epochs == 10);
  const auto file = folder.write("mine.json", R"({"epochs": 7, "tables": {"3": {"epochs": 9}}})").string();
  const auto mine = support::scale_document(file);
  CHECK(support::scale_of_table(mine, 2).epochs == 7);
  CHECK(support::scale_of_table(mine, 3).epochs == 9);
  CHECK(support::scale_of_table(mine, 3).name == "mine");
  CHECK(support::scale_of_table(mine, 3).channels == 16);
  CHECK(support::scale_of_table(nlohmann::json{{"epochs", 8}}, 3).epochs == 8);  // a document without changes
  const auto wrong = [&](const std::string& text) {
    const auto path = folder.write("wrong.json", text).string();
    return message_of([&] { support::scale_of_table(support::scale_document(path), 4); });
  };
  CHECK_SAYS(wrong("{"), "is no JSON object");
  CHECK_SAYS(wrong(R"({"epoch": 3})"), "no \"epoch\"; did you mean 'epochs'?");
  CHECK_SAYS(wrong(R"({"epochs": 0})"), "\"epochs\" is 0; it is to be a whole number from 1");
  CHECK_SAYS(wrong(R"({"epochs": 1.5})"), "\"epochs\" is 1.5");
  CHECK_SAYS(wrong(R"({"epochs": 1000000000})"), "\"epochs\" is 1000000000");
  CHECK_SAYS(wrong(R"({"weight_rate": "a"})"), "it is to be a number from 0");
  CHECK_SAYS(wrong(R"({"epochs": "4"})"), "\"epochs\" is \"4\"");
  CHECK_SAYS(wrong(R"({"cells": 2})"), "\"cells\" is 2; it is to be a whole number from 3");
  CHECK_SAYS(wrong(R"({"K": 3})"), "1, 2 and 4 are compiled in");
  CHECK_SAYS(wrong(R"({"retrain": "search"})"), "searched or derived; did you mean 'searched'?");
  CHECK_SAYS(wrong(R"({"tables": {"6": {}}})"), "there are the tables 1 to 5");
  CHECK_SAYS(wrong(R"({"tables": {"0": {}}})"), "there are the tables 1 to 5");
  CHECK_SAYS(wrong(R"({"tables": {"41": {}}})"), "there are the tables 1 to 5");
  CHECK_SAYS(wrong(R"({"tables": 4})"), "\"tables\" is to be an object");
  CHECK_SAYS(wrong(R"({"tables": {"4": {"tables": {}}}})"), "\"tables\" stands inside of \"tables\"");
  CHECK(wrong("{}").empty());
  CHECK_SAYS(wrong(R"({"tables": {"4": {"epochs": 0}}})"), "\"epochs\" is 0");
  CHECK_SAYS(message_of([] { support::scale_document("papr"); }), "did you mean 'paper'?");
}

TEST_CASE("pages: the paper's numbers stand beside, what is missing is said") {
  std::vector<support::measured> all{arm("da2s", 3, {20, 20.1, 20.2}, 1),
                                     arm("control", 3, {30, 30.1, 30.2}, 60),
                                     arm("random", 3, {20.1, 20.2, 20.15})};
  const auto page = support::table_4_page(all);
  const auto text = support::to_plain(page);
  CHECK_SAYS(text, "3/14   | da2s    | 20.10 +- 0.10 (0.06) | 3.67+-0.24");
  CHECK_SAYS(text, "80.0 +- 0.0 -> 78.9 +- 0.1");
  CHECK_SAYS(text, "85.52->64.23");
  CHECK_SAYS(text, "3/14   | darts   | not run");
  CHECK_SAYS(text, "3/14, error: da2s lower than control; no order with random");
  CHECK_SAYS(text, "3/14, accuracy lost: da2s lower than control");
  CHECK_SAYS(text, "4/14, error: da2s not compared (not run)");
  CHECK_SAYS(support::to_markdown(page), "| 3/14 | da2s | 20.10 +- 0.10 (0.06) | 3.67+-0.24 |");
  CHECK_SAYS(support::to_csv(page), "3/14,da2s,20.10 +- 0.10 (0.06),3.67+-0.24");
  all[0].error.pop_back();
  CHECK_SAYS(support::to_plain(support::table_4_page(all)), "20.05 +- 0.07 (0.05) [2 of 3]");
  const auto statistics = support::statistics_table("s", all);
  CHECK(statistics.data["arms"].size() == 3);
  CHECK(statistics.data["arms"][1]["error"]["interval_95"][0].get<double>() ==
        Approx(30.1 - 4.3027 * 0.1 / std::sqrt(3.0)));
  CHECK_SAYS(support::to_plain(support::table_1_page({arm("da2s", 8, {20, 21})})), "0.01 days of a CPU");
  CHECK_SAYS(support::to_plain(support::table_2_page({arm("log", 8, {20, 21})})), "2.56+-0.06");
  CHECK_SAYS(support::to_plain(support::table_3_page({arm("lambda_1 log", 8, {20, 21})})),
             "lambda_1 log    | lambda_2 = 1 | 2.51+-0.09                | 20.50 +- 0.71 (0.50)");
  const auto transfer = support::to_csv(support::table_5_page({arm("da2s", 8, {}), arm("random", 8, {25})}));
  CHECK_SAYS(transfer, "\"da2s, measured\",not run,not run,not run,not run,not run,gradient-based");
  CHECK_SAYS(transfer, "\"random, measured\",25.00,not run,");
  CHECK_SAYS(transfer, ",none,random\r\n");
}

TEST_CASE("tables: bars, commas and characters of several bytes keep their columns") {
  const support::text_table table{"t", {}, {"a", "b"}, {{"\xc2\xb1 1", "x|y"}, {"abc", "1,2"}}, {}, {}};
  CHECK_SAYS(support::to_plain(table), "\xc2\xb1 1 | x|y\nabc | 1,2\n");
  CHECK_SAYS(support::to_markdown(table), "| x\\|y |");
  CHECK_SAYS(support::to_csv(table), "abc,\"1,2\"");
}

TEST_CASE("figures: every line is drawn, for one epoch as well") {
  nlohmann::json search;
  for (int epoch = 1; epoch <= 2; ++epoch) {
    nlohmann::json one{{"epoch", epoch}};
    for (int type = 0; type < 2; ++type) {
      one["ops"].push_back(std::vector<double>(std::size_t{14} * 7, 1.0 / 7));
      one["edges"].push_back(std::vector<double>(14, 0.25 * epoch));
    }
    search["epochs"].push_back(one);
  }
  const auto count = [](const std::string& text, const std::string& part) {
    int n = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++n;
    return n;
  };
  CHECK(count(support::figure_3(search, "test"), "<polyline") == 14 * 7);
  CHECK(count(support::figure_4(search, "test"), "<polyline") == 3 + 4 + 5);
  CHECK(count(support::weights_csv(search), "\r\n") == 1 + 2 * 2 * 14);
  CHECK_SAYS(support::weights_csv(search), "\r\n2,reduction,4,5,0.50000,0.14286,");
  CHECK(count(support::figure_5(50), "<polyline") == 5);
  CHECK_SAYS(support::figure_5_csv(50), "\r\n50,1.000000,1.000000,1.000000,1.000000,1.000000\r\n");
  const nlohmann::json cut{{"genotype", cell_3}};
  const auto m = arm("da2s", 3, {20, 21});
  const auto drawn = support::figure_1({{"a", &search, &cut, &m}, {"b", nullptr, nullptr, nullptr}}, "test");
  CHECK(count(drawn, ", kept<") == 1);  // 0 -> 3
  CHECK(count(drawn, ", cut<") == 2);
  CHECK_SAYS(drawn, "not run");
  CHECK(count(support::lambda_chart({0, 1}, {m, m}, "test"), "<circle") == 6);
  search["epochs"].erase(1);
  CHECK(count(support::figure_3(search, "test"), "<circle") == 14 * 7);
  for (auto& edges : search["epochs"][0]["edges"]) edges = nullptr;  // DARTS has none
  CHECK_SAYS(support::weights_csv(search), "1,normal,0,2,,0.14286");
}

}  // namespace tables_test
