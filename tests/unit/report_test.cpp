// What a search leaves for people and other programs: pages that need nothing but themselves, event files, C++ headers.
#include "support/report.hpp"

#include <cmath>
#include <crispnas/genotype/known.hpp>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "doctest.hpp"
#include "files.hpp"
#include "support/cell_files.hpp"
#include "support/command_line.hpp"
#include "support/tensorboard.hpp"

namespace report_test {

namespace cn = crispnas;
using tests::message_of;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int v : values) text += static_cast<char>(v);
  return text;
}

std::uint64_t number_at(const std::string& text, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(text.at(at + i))} << 8 * i;
  return value;
}

/// What the records of a file hold; every length and checksum is checked on the way.
std::vector<std::string> records(const std::string& file) {
  std::vector<std::string> found;
  for (std::size_t at = 0; at < file.size();) {
    const auto length = static_cast<std::size_t>(number_at(file, at, 8));
    CHECK(number_at(file, at + 8, 4) == support::masked_crc32c(file.substr(at, 8)));
    found.push_back(file.substr(at + 12, length));
    REQUIRE(found.back().size() == length);
    CHECK(number_at(file, at + 12 + length, 4) == support::masked_crc32c(found.back()));
    at += 16 + length;
  }
  return found;
}

const std::string evil = "<b onload='x'>\"&\x01\xff</b>";

/// `epochs` epochs of a cell of two nodes, names as bad as they can be.
support::search_report report_of(int epochs) {
  support::search_report r;
  r.title = evil;
  r.scale = evil;
  r.command = "search --out '" + evil + "'";
  r.configuration = {{evil, evil}};
  r.accuracies = {{"before", 50.0}, {"after", 49.0}};
  r.found = cn::parse_genotype("Genotype(normal=[0->2 mine, 2->3 other], normal_concat=[2, 3])");
  support::cell_history cell;
  cell.name = "normal";
  cell.nodes = 2;
  cell.edges = {{0, 2}, {1, 2}, {2, 3}};
  cell.groups = {{0, 1}};
  r.history.ops = {"mine", "other", evil};
  for (int e = 1; e <= epochs; ++e) {
    support::epoch_history epoch;
    epoch.epoch = e;
    epoch.arch_loss = e == 2 ? 1.0 : std::numeric_limits<double>::quiet_NaN();
    epoch.terms = {{evil, 1.0, 2.0}};
    r.history.epochs.push_back(epoch);
    cell.op_weights.push_back({{0.5, 0.25, 0.25}, {1, 0, 0}, {0, 1, 0}});
    cell.edge_weights.push_back({0.75, 0.25, 1.0});
  }
  r.history.cells = {cell};
  return r;
}

}  // namespace

TEST_CASE("CRC-32C: the vectors of RFC 3720") {
  std::string up, down;
  for (int i = 0; i < 32; ++i) up += static_cast<char>(i), down += static_cast<char>(31 - i);
  CHECK(support::crc32c("123456789") == 0xe3069283U);
  CHECK(support::crc32c(std::string(32, '\0')) == 0x8a9136aaU);
  CHECK(support::crc32c(std::string(32, '\xff')) == 0x62a8ab43U);
  CHECK(support::crc32c(up) == 0x46dd794eU);
  CHECK(support::crc32c(down) == 0x113fdb5cU);
}

TEST_CASE("event files: the bytes of an event, records that can be read back") {
  // Files of TensorFlow begin with the length 24 and this checksum of it.
  CHECK(support::tf_record(std::string(24, 'x')).substr(0, 12) ==
        bytes({0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22}));
  const std::string event =
      bytes({0x09, 0,    0,    0,    0,    0,    0,   0xf8, 0x3f,  // wall_time 1.5
             0x10, 0xac, 0x02,                                     // step 300
             0x2a, 0x0a, 0x0a, 0x08, 0x0a, 0x01, 'a', 0x15,        // summary of one value, tag a
             0,    0,    0,    0x3f});                             // 0.5
  CHECK(support::scalar_event(1.5, 300, {{"a", 0.5}}) == event);

  const tests::temporary_folder folder;
  const auto path = folder.path() / support::event_file::name;
  CHECK(path.string().find("tfevents") != std::string::npos);  // TensorBoard looks for it
  std::ofstream(path) << "another run's";
  support::event_file(folder.path()).add(1, {{"a", 0.5}, {"b", -2.0}});
  support::event_file(folder.path(), true).add(2, {});
  std::ifstream stream(path, std::ios::binary);
  const auto found = records({std::istreambuf_iterator<char>(stream), {}});
  REQUIRE(found.size() == 3);
  CHECK(found[0].substr(9) ==
        "\x1a\x0d"
        "brain.Event:2");
  CHECK(found[1].substr(9, 3) == bytes({0x10, 0x01, 0x2a}));
  CHECK(found[2].substr(9) == bytes({0x10, 0x02, 0x2a, 0x00}));
  CHECK(message_of([&] {
          support::event_file(folder.write("file", "") / "x");
        }).find("events.out.tfevents.crispnas' cannot be written (Not a directory)") != std::string::npos);
}

TEST_CASE("names that users choose are words, never markup") {
  CHECK(support::markup("a<b>&\"'\t") == "a&lt;b&gt;&amp;&quot;&#39;\t");
  const std::string lost = "\xef\xbf\xbd";
  CHECK(support::markup(std::string("\0\x1f\x7f", 3)) == lost + lost + lost);
  CHECK(support::markup("\xc3\xa9 \xe2\x86\x92 \xf0\x9f\x98\x80") ==
        "\xc3\xa9 \xe2\x86\x92 \xf0\x9f\x98\x80");
  CHECK(support::markup("\xff") == lost);
  CHECK(support::markup("\xc3") == lost);                                   // cut short
  CHECK(support::markup("\xc0\xaf") == lost + lost);                        // longer than needed
  CHECK(support::markup("\xed\xa0\x80") == lost + lost + lost);             // half of a pair
  CHECK(support::markup("\xf4\x90\x80\x80") == lost + lost + lost + lost);  // beyond Unicode
}

TEST_CASE("a page needs nothing but itself, whatever the names and however short the search") {
  for (const int epochs : {1, 2, 30}) {
    const std::string page = support::search_page(report_of(epochs));
    CAPTURE(epochs);
    for (const char* outside :
         {"<b ", "onload='", "<script", "<link", "<img", "src=", "href=", "url(", "@import", "nan,", ",nan"})
      CHECK_MESSAGE(page.find(outside) == std::string::npos, outside);
    std::size_t addresses = 0, namespaces = 0;
    for (std::size_t at = page.find("http"); at != std::string::npos; at = page.find("http", at + 1)) {
      ++addresses;
      namespaces += page.compare(at, 27, "http://www.w3.org/2000/svg\"") == 0 ? 1 : 0;
    }
    CHECK(addresses == namespaces);
    CHECK(page.find("prefers-color-scheme:dark") != std::string::npos);
    CHECK(page.find("name=\"viewport\"") != std::string::npos);
    CHECK(page.find("kept: mine 0.50") != std::string::npos);
    CHECK(page.find("Op weights from input c(k-2) to node 0. At the end: mine 0.5, other 0.25") !=
          std::string::npos);
  }
  CHECK(support::search_page(report_of(0)).find("<h1>") != std::string::npos);
  for (const auto& line : {support::line_chart(evil, evil, 0, 1, {{evil, "red", {0.5, 1.0}}})})
    CHECK(line.find("<b") == std::string::npos);
}

TEST_CASE("pages of tables and pictures") {
  struct words_table {
    std::string title = "Table <4>";
    std::vector<std::string> above{"scale & more"}, columns{"kept", "before"};
    std::vector<std::vector<std::string>> rows{{"<3>", "50 +- 1"}};
    std::vector<std::string> below{"not run: <5>"};
  };
  const std::string page =
      support::tables_page("tables", "tiny", std::vector<words_table>(1), {{"a \"picture\"", "<svg/>"}},
                           {report_of(2)}, {{"seeds", "3"}}, "tables --table 4");
  for (const char* wanted :
       {"<h2>Table &lt;4&gt;</h2>", "scale &amp; more", "<th scope=\"row\">&lt;3&gt;</th><td>50 +- 1</td>",
        "not run: &lt;5&gt;", "alt=\"a &quot;picture&quot;\" src=\"data:image/svg+xml;base64,PHN2Zy8+\"",
        "<dt>seeds</dt><dd>3</dd>", "<pre>tables --table 4</pre>"})
    CHECK_MESSAGE(page.find(wanted) != std::string::npos, wanted);
  const auto encoded = [](const char* text) {
    const std::string html = support::html_picture("", text);
    const auto from = html.find("base64,") + 7;
    return html.substr(from, html.find('"', from) - from);
  };
  CHECK(encoded("") == "");
  CHECK(encoded("f") == "Zg==");  // RFC 4648
  CHECK(encoded("fo") == "Zm8=");
  CHECK(encoded("foobar") == "Zm9vYmFy");
  CHECK(encoded("\xff\xfe\xfd") == "//79");
}

TEST_CASE("axes hold the values and have round steps") {
  const auto check = [](std::vector<double> values, double low, double high, support::axis wanted) {
    const auto a = support::axis_of({{"", "", values}}, low, high);
    CHECK(a.low == doctest::Approx(wanted.low));
    CHECK(a.high == doctest::Approx(wanted.high));
    CHECK(a.step == doctest::Approx(wanted.step));
  };
  check({12, 57.5}, 0, 0, {0, 60, 20});
  check({-0.7, 16.9}, 0, 0, {-5, 20, 5});
  check({0.3, 1.0}, 0, 1, {0, 1, 0.25});
  check({std::nan("")}, 0, 1, {0, 1, 0.25});
  check({0.0}, 0, 0, {0, 1, 0.25});
}

TEST_CASE("every op of a space has a colour of its own, the same in all spaces") {
  const std::vector<std::string> darts{"none",         "max_pool_3x3", "avg_pool_3x3", "skip_connect",
                                       "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"};
  const std::vector<std::string> nas_bench_201{"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3",
                                               "avg_pool_3x3"};
  const auto a = support::detail::op_colors(darts);
  const auto b = support::detail::op_colors(nas_bench_201);
  CHECK(std::set<std::string>(a.begin(), a.end()).size() == darts.size());
  CHECK(std::set<std::string>(b.begin(), b.end()).size() == nas_bench_201.size());
  CHECK(a[3] == b[1]);
  CHECK(a[2] == b[4]);
  CHECK(support::detail::op_colors(std::vector<std::string>(20, "own")).size() == 20);
}

TEST_CASE("entropies: 1 is undecided, 0 is crisp") {
  CHECK(support::entropy_share({0.5, 0.5, 0.5}) == doctest::Approx(1.0));
  CHECK(support::entropy_share({0, 2, 0}) == 0.0);
  CHECK(support::entropy_share({3}) == 0.0);
  CHECK(support::entropy_share({1, 1, 0, 0}) == doctest::Approx(0.5));
  const auto r = report_of(1);
  CHECK(support::op_entropies(r.history.cells[0])[0] ==
        doctest::Approx(support::entropy_share({0.5, 0.25, 0.25}) / 3));
  CHECK(support::edge_entropies(r.history.cells[0])[0] ==
        doctest::Approx(support::entropy_share({0.75, 0.25})));
}

TEST_CASE("a C++ header has names and literals that the compiler takes") {
  for (const char* name : {"found", "Found2", "a_b"}) CHECK(cn::detail::is_cpp_name(name));
  for (const char* name :
       {"", "2a", "a-b", "_a", "a__b", "class", "crispnas", "char8_t", "xor_eq", "a b", "a\xc3\xa9"})
    CHECK(!cn::detail::is_cpp_name(name));
  CHECK(message_of([] { cn::to_cpp_header(cn::known::darts_v2, "new"); }).find("'new' cannot be the name") !=
        std::string::npos);
  CHECK(cn::detail::cpp_string("a\"b\\\n\xff?", "") == "\"a\\\"b\\\\\\012\\377?\"");
}

TEST_CASE("a genotype in every dialect, and why not") {
  const auto json = support::dialects_json(cn::known::darts_v2);
  CHECK(cn::parse_genotype(json["genotype"].get<std::string>()) == cn::known::darts_v2);
  for (const char* d : {"darts", "pt_darts", "fairdarts", "snas", "edge_list"})
    CHECK(json["dialects"][d].is_string());
  CHECK(json["dialects"]["nas_bench_201"].is_null());
  CHECK(json["cannot"]["nas_bench_201"].get<std::string>().find("reduction cell") != std::string::npos);
}

TEST_CASE("a command can be given to a shell again") {
  const char* argv[] = {"/some/where/search", "--out", "it's <here>", "--k", "4", ""};
  CHECK(support::command_text(6, argv) == "search --out 'it'\\''s <here>' --k 4 ''");
}

}  // namespace report_test
