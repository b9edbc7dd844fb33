// Genotype dialects: what is published is read, converted to every dialect that can express it, and refused
// in words by those that cannot; and no text, however mangled, does anything but that.
#include <algorithm>
#include <chrono>
#include <crispnas/genotype/compare.hpp>
#include <crispnas/genotype/count.hpp>
#include <crispnas/genotype/known.hpp>
#include <crispnas/genotype/literal.hpp>
#include <crispnas/genotype/nas_bench_201.hpp>
#include <crispnas/genotype/text.hpp>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "doctest.hpp"

namespace dialects_test {

namespace cn = crispnas;
using cn::dialect;

namespace {

// Lists of all edges as SNAS publishes them, the sources of a node in any order.
constexpr std::string_view snas_mild_all =
    "SNAS_mild_edge_all = Genotype(\n"
    "  normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), ('dil_conv_3x3', 1), ('none', "
    "2),\n"
    "    ('skip_connect', 0), ('skip_connect', 1), ('none', 3), ('none', 2), ('skip_connect', 0), "
    "('sep_conv_3x3', 1),\n"
    "    ('none', 4), ('none', 3), ('none', 2)],\n"
    "  normal_concat=range(2, 6),\n"
    "  reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('none', 0), ('max_pool_3x3', 1), ('skip_connect', "
    "2),\n"
    "    ('none', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('none', 3), ('max_pool_3x3', 0), "
    "('dil_conv_5x5', 2),\n"
    "    ('none', 1), ('none', 3), ('none', 4)],\n"
    "  reduce_concat=range(2, 6))\n";
constexpr std::string_view snas_aggressive_all =
    "Genotype(normal=[('sep_conv_5x5', 0), ('skip_connect', 1), ('skip_connect', 0), ('skip_connect', 1), "
    "('none', 2), "
    "('dil_conv_5x5', 1), ('skip_connect', 0), ('none', 2), ('none', 3), ('skip_connect', 0), "
    "('dil_conv_5x5', 1), "
    "('none', 2), ('none', 3), ('none', 4)], normal_concat=range(2, 6), reduce=[('sep_conv_5x5', 0), "
    "('none', 1), "
    "('sep_conv_5x5', 0), ('none', 1), ('none', 2), ('none', 0), ('none', 1), ('none', 2), ('none', 3), "
    "('none', 0), "
    "('none', 1), ('none', 2), ('none', 3), ('none', 4)], reduce_concat=range(2, 6))";
constexpr std::string_view darts_v2_nested =
    "Genotype(normal=[[('sep_conv_3x3', 0), ('sep_conv_3x3', 1)], [('sep_conv_3x3', 0), ('sep_conv_3x3', "
    "1)], "
    "[('sep_conv_3x3', 1), ('skip_connect', 0)], [('skip_connect', 0), ('dil_conv_3x3', 2)]], "
    "normal_concat=range(2, 6), "
    "reduce=[[('max_pool_3x3', 0), ('max_pool_3x3', 1)], [('skip_connect', 2), ('max_pool_3x3', 1)], "
    "[('max_pool_3x3', 0), ('skip_connect', 2)], [('skip_connect', 2), ('max_pool_3x3', 1)]], "
    "reduce_concat=range(2, 6))";
constexpr std::string_view three_of_14 =
    "Genotype(normal=[1->3 sep_conv_3x3, 3->4 skip_connect, 0->5 dil_conv_5x5], normal_concat=[3, 4, 5], "
    "reduce=[0->2 max_pool_3x3, 1->4 skip_connect, 4->5 dil_conv_5x5], reduce_concat=[2, 4, 5])";
constexpr std::string_view residual =
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|";

// Every dialect is read by the compiler, too.
static_assert(cn::read_genotype(snas_mild_all).written_in == dialect::snas,
              "SNAS's list of all edges is taken for another.");
static_assert(cn::equivalent(cn::parse_genotype(snas_mild_all), cn::known::snas_mild),
              "SNAS publishes the mild genotype in two forms.");
static_assert(cn::parse_genotype(darts_v2_nested) == cn::known::darts_v2,
              "Nested pairs say what flat pairs say.");
static_assert(cn::known::fairdarts_a.normal.concat == 0b110100, "Node 3 of FairDARTS_a has no op.");
static_assert(cn::genotype_literal<"|none~0|+|none~0|skip_connect~1|">.normal.nodes == 2,
              "A text as a template argument.");
static_assert(cn::read_genotype("Genotype(normal=[('a', 0)").fault.position == 25, "A fault is a value.");

std::string message_of(std::string_view text) {
  try {
    (void)cn::parse_genotype(text);
  } catch (const cn::error& e) {
    return e.what();
  }
  return "no error";
}

std::string refusal(const cn::genotype& g, dialect d) {
  try {
    return "no error: " + cn::to_text(g, d);
  } catch (const cn::error& e) {
    return e.what();
  }
}

/// All dialects that can say it are read back as the same network, each as itself.
void converts(const cn::genotype& g) {
  const auto able = cn::dialects_for(g);
  REQUIRE(std::find(able.begin(), able.end(), dialect::edge_list) != able.end());
  for (dialect d : able) {
    const std::string text = cn::to_text(g, d);
    CAPTURE(text);
    const cn::genotype_reading back = cn::read_genotype(text);
    REQUIRE(back.ok);
    CHECK(back.written_in == d);
    CHECK(cn::equivalent(back.value, g));
  }
  CHECK(cn::parse_genotype(cn::to_text(g)) == g);
}

}  // namespace

TEST_CASE("SNAS's lists of all edges say what its pairs say") {
  CHECK(cn::equivalent(cn::parse_genotype(snas_aggressive_all), cn::known::snas_aggressive));
  const cn::genotype g = cn::parse_genotype(snas_mild_all);
  CHECK(g.normal.nodes == 4);
  CHECK(g.normal.size() == 8);
  CHECK(g.normal.genes[3] == cn::gene{"dil_conv_3x3", 1, 3});
  CHECK(g.reduction.genes[4] == cn::gene{"max_pool_3x3", 1, 4});
  CHECK(cn::to_text(cn::parse_genotype(snas_aggressive_all), dialect::snas)
            .rfind("Genotype(normal=[('sep_conv_5x5', 0), ('skip_connect', 1), ('skip_connect', 0), "
                   "('skip_connect', 1), "
                   "('none', 2), ('skip_connect', 0), ('dil_conv_5x5', 1), ('none', 2), ('none', 3), ",
                   0) == 0);
}

TEST_CASE("nested pairs, as lists and as tuples, with the two fields of AutoDL's") {
  CHECK(cn::read_genotype(darts_v2_nested).written_in == dialect::pt_darts);
  CHECK(cn::to_text(cn::known::darts_v2, dialect::pt_darts) == darts_v2_nested);
  const auto tuples = cn::read_genotype(
      "NASNet = Genotype(normal=((('sep_conv_5x5', 1), (\"sep_conv_3x3\", 0)), (('none', 0,), "
      "('avg_pool_3x3', 2))),\n"
      "normal_concat=[2, 3], reduce=((('sep_conv_5x5', 1), ('sep_conv_7x7', 0)), (('a', 2), ('b', 2))), "
      "reduce_concat=[3],\n"
      "connectN=None, connects=None,)");
  REQUIRE(tuples.ok);
  CHECK(tuples.written_in == dialect::pt_darts);
  CHECK(tuples.value.normal.genes[2] == cn::gene{"none", 0, 3});
  CHECK(tuples.value.reduction.concat == 0b1000);
  SUBCASE("a node may have another number of ops than two") {
    const auto three = cn::parse_genotype(
        "Genotype(normal=[[('a', 0)], [('b', 2), ('b', 1), ('c', 0)]], normal_concat=[3])");
    CHECK(three.normal.size() == 4);
    CHECK(cn::why_not(three, dialect::pt_darts).empty());
    CHECK(cn::why_not(three, dialect::darts) == "normal cell, node 2 has 1 op, and exactly two are needed");
  }
}

TEST_CASE("FairDARTS's triples: only nodes that have an op are in the output") {
  const cn::genotype& a = cn::known::fairdarts_a;
  CHECK(a.normal.nodes == 4);
  CHECK(a.normal.genes[3] == cn::gene{"sep_conv_3x3", 0, 5});
  CHECK(a.normal.kept_edges() == 4);
  CHECK(a.reduction.concat == 0b111100);
  CHECK(cn::to_text(a, dialect::fairdarts)
            .rfind("Genotype(normal=[('sep_conv_3x3', 2, 0), ('sep_conv_5x5', 2, 1), ('max_pool_3x3', 4, 0), "
                   "('sep_conv_3x3', 5, 0)], "
                   "normal_concat=range(2, 6), reduce=[('max_pool_3x3', 2, 0), ",
                   0) == 0);
  CHECK(message_of("Genotype(normal=[('a', 2, 0), ('b', 3, 1)], normal_concat=[2])")
            .find("at position 58: expected an output of all nodes that have an op, found '[2])'") !=
        std::string::npos);
}

TEST_CASE("every published genotype in every dialect that can express it") {
  for (const auto& k : cn::known_genotypes) {
    CAPTURE(k.name);
    converts(*k.value);
    const bool pairs = k.name.substr(0, 9) != "fairdarts";
    CHECK(cn::why_not(*k.value, dialect::darts).empty() == pairs);
  }
  converts(cn::parse_genotype(three_of_14));
  converts(cn::parse_genotype(residual));
  for (int i = 0; i < cn::nas_bench_201_cells; i += 97) converts(cn::nas_bench_201_genotype(i));
}

TEST_CASE("a dialect that cannot express a genotype says what stands in the way, and which can") {
  const cn::genotype three = cn::parse_genotype(three_of_14);
  CHECK(refusal(three, dialect::darts) ==
        "crispnas::to_text: the dialect 'darts' cannot express this genotype: normal cell, node 2 has no "
        "ops, and "
        "exactly two are needed. These can: fairdarts, snas, edge_list.");
  CHECK(refusal(three, dialect::nas_bench_201).find("there is a reduction cell") != std::string::npos);
  CHECK(refusal(cn::parse_genotype(residual), dialect::snas) ==
        "crispnas::to_text: the dialect 'snas' cannot express this genotype: normal cell, it has 1 input "
        "instead of 2. "
        "These can: nas_bench_201, edge_list.");

  cn::genotype g = three;
  g.normal.concat |= 0b100;
  CHECK(refusal(g, dialect::fairdarts).find("normal cell, node 2 is in the output, and no op enters it") !=
        std::string::npos);
  g = three;
  g.reduction.concat = 0b100000;
  CHECK(cn::why_not(g, dialect::fairdarts) ==
        "reduction cell, an op enters node 2, and it is not in the output");
  g = three;
  g.normal.add({"skip_connect", 1, 3});
  CHECK(cn::why_not(g, dialect::snas) ==
        "normal cell, the edge 1 -> 3 has several ops, and there is place for one");
  CHECK(cn::why_not(g, dialect::fairdarts).empty());
  converts(g);

  g = cn::nas_bench_201_genotype(7);
  g.normal.concat = 0b1100;
  CHECK(cn::why_not(g, dialect::nas_bench_201) == "normal cell, its output is not its last node alone");
  g.normal.concat = 1;
  CHECK(refusal(g, dialect::edge_list).find("its output names a state that is no node. No dialect can.") !=
        std::string::npos);

  CHECK(cn::why_not(cn::parse_genotype("Genotype(normal=[0->2 a], normal_concat=[2])"), dialect::snas) ==
        "normal cell, it has 1 node, and there is place for 2 to 9");
  CHECK(cn::why_not(cn::parse_genotype("Genotype(nodes=3, normal=[], normal_concat=[])"),
                    dialect::fairdarts) == "no cell has an op");
}

TEST_CASE("pairs that read as a list of all edges are not written as pairs of seven nodes") {
  // Sources 0, 1, 0, 1, 2, 0, 1, 2, 3, ...: all edges of four nodes, or two edges for each of seven.
  cn::genotype g;
  g.has_reduction = false;
  g.normal.nodes = 7;
  g.normal.concat = 0b111100;
  const int sources[] = {0, 1, 0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3, 4};
  for (int i = 0; i < 14; ++i) g.normal.add({"skip_connect", sources[i], 2 + i / 2});
  CHECK(cn::fits_darts_text(g.normal));
  CHECK(cn::why_not(g, dialect::darts) == "its pairs would be taken for a list of all edges");
  CHECK(cn::to_text(g).find("->") != std::string::npos);
  converts(g);
  // Beside a reduction cell the same; where one of the two is no such list, a reader takes that for a mistake.
  cn::genotype both = g;
  both.has_reduction = true;
  both.reduction = g.normal;
  CHECK(cn::why_not(both, dialect::darts) == "its pairs would be taken for a list of all edges");
  converts(both);
  both.reduction.genes[13].from = 5;
  CHECK(cn::why_not(both, dialect::darts) == "its pairs would be taken for a list of all edges");
  converts(both);
  std::swap(both.normal, both.reduction);
  CHECK(cn::why_not(both, dialect::darts) == "its pairs would be taken for a list of all edges");
  converts(both);
  both.reduction.genes[13].from = 5;
  CHECK(cn::why_not(both, dialect::darts).empty());
  converts(both);
  // An output beyond node 5 says that there are seven nodes.
  g.normal.concat = 0b110000000;
  CHECK(cn::read_genotype(cn::to_text(g)).written_in == dialect::darts);
  converts(g);
}

TEST_CASE("cells of sizes that no text speaks of, and of two sizes") {
  const auto problem = [](int inputs, int nodes, dialect d = dialect::edge_list) {
    cn::genotype g;
    g.has_reduction = false;
    g.normal.inputs = inputs;
    g.normal.nodes = nodes;
    return cn::why_not(g, d);
  };
  CHECK(
      problem(0, 4) ==
      "normal cell, it has no inputs and 4 nodes; a text speaks of 1 to 8 inputs, of a node or more, and of "
      "at most 31 states");
  CHECK(problem(9, 1).find("it has 9 inputs and 1 node;") != std::string::npos);
  CHECK(problem(2, 0).find("it has 2 inputs and no nodes;") != std::string::npos);
  CHECK(problem(2, 30).find("it has 2 inputs and 30 nodes;") != std::string::npos);
  CHECK(problem(8, 23).empty());
  CHECK(problem(1, 11, dialect::nas_bench_201) == "normal cell, it has 11 nodes, and there is place for 10");
  CHECK(problem(1, 10, dialect::nas_bench_201) == "normal cell, its output is not its last node alone");
  cn::genotype g = cn::known::darts_v1;
  g.reduction.inputs = 1;
  CHECK(cn::why_not(g, dialect::edge_list) ==
        "the normal and the reduction cell have different numbers of inputs or nodes");
}

TEST_CASE("NAS-Bench-201's text is of genes in its order, and says none where there is none") {
  cn::genotype g = cn::nas_bench_201_genotype(1234);
  std::swap(g.normal.genes[1], g.normal.genes[2]);
  CHECK(cn::to_text(g).find("->") != std::string::npos);
  CHECK(cn::parse_genotype(cn::to_text(g)) == g);
  CHECK(cn::to_text(g, dialect::nas_bench_201) == cn::to_text(cn::nas_bench_201_genotype(1234)));
  g.normal.count = 0;
  CHECK(cn::to_text(g, dialect::nas_bench_201) == "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|");
}

TEST_CASE("after its first failure a reader takes nothing, and keeps that failure") {
  cn::detail::genotype_reader in(" 7");
  CHECK(in.peek_digit());
  in.fail("something else");
  CHECK(!in.peek_digit());
  CHECK(!in.peek("7"));
  CHECK(in.number(0, 9, "a number") == 0);
  CHECK(in.name(31).empty());
  CHECK(!in.ok());
  CHECK(in.fault().expected == "something else");
}

TEST_CASE("an error shows the place") {
  CHECK(message_of(
            "mine = Genotype(\n  normal=[('sep_conv_3x3', 0), ('skip_connect' 1)],\n  normal_concat=[2])") ==
        "crispnas::parse_genotype: at position 64 (line 2, column 48): expected ',', found '1)],   "
        "normal_co'.\n"
        "  ...l=[('sep_conv_3x3', 0), ('skip_connect' 1)],\n"
        "                                             ^");
  CHECK(message_of("|a~0|+|b~0|\n\n") ==
        "crispnas::parse_genotype: at position 11: expected the name of an op (letters, digits, _ - . :, at "
        "most 31 "
        "characters), found the end of the text.\n  |a~0|+|b~0|\n             ^");
  CHECK(message_of(std::string("Genotype(normal=\x01\xff")) ==
        "crispnas::parse_genotype: at position 16: expected '[', found '?\?'.\n  Genotype(normal=?\?\n       "
        "           ^");
  CHECK(message_of("Genotype(normal=[], normal_concat=[])").find("expected a cell that has a node") !=
        std::string::npos);
  CHECK(message_of("Genotype(normal=[[('a', 0)], []], normal_concat=[2])")
            .find("at least one gene for every node") != std::string::npos);
  CHECK(message_of("Genotype(normal=[[('a', 0)]], normal_concat=[3])").find("a node from 2 to 2") !=
        std::string::npos);
  CHECK(message_of("Genotype(normal=[('a', 2, 0)], normal_concat=[2], reduce=[('a', 0)], reduce_concat=[2])")
            .find("at position 58: expected a gene in the form of the normal cell's") != std::string::npos);
}

TEST_CASE("what is read is bounded") {
  CHECK(message_of(std::string(70000, ' ')).find("at most 65536 characters are read") != std::string::npos);
  CHECK(message_of("Genotype(normal=" + std::string(60000, '[')).find("expected") != std::string::npos);
  std::string many = "Genotype(normal=[";
  for (int i = 0; i < 65; ++i) many += "('a', 0), ";
  CHECK(message_of(many + "], normal_concat=[2])").find("no more genes than two for every node") !=
        std::string::npos);
  std::string groups = "Genotype(normal=[";
  for (int i = 0; i < 40; ++i) groups += "[('a', 0)], ";
  CHECK(message_of(groups + "], normal_concat=[2])").find("no more lists of genes than there can be nodes") !=
        std::string::npos);
  std::string triples = "Genotype(normal=[";
  std::string group = "Genotype(normal=[[";
  for (int i = 0; i < 65; ++i) group += "('a', 0), ";
  CHECK(message_of(group + "]], normal_concat=[2])").find("at most 64 genes") != std::string::npos);
  for (int i = 0; i < 65; ++i) triples += "('a', 2, 0), ";
  CHECK(message_of(triples + "], normal_concat=[2])").find("at most 64 genes") != std::string::npos);
  std::string cell = "|a~0|";
  for (int to = 2; to < 12; ++to) {
    cell += "+|";
    for (int from = 0; from < to; ++from) cell += "a~" + std::to_string(from) + "|";
  }
  CHECK(message_of(cell).find("at most 64 genes") != std::string::npos);
}

TEST_CASE("published genotypes by name") {
  std::set<std::string_view> names;
  for (const auto& k : cn::known_genotypes) {
    CHECK(names.insert(k.name).second);
    CHECK(k.source.find("; ") != std::string_view::npos);  // paper; repository
    CHECK(cn::find_known_genotype(k.name) == &k);
    CHECK(k.value->has_reduction);
  }
  CHECK(names.size() == 15);
  CHECK(cn::find_known_genotype("darts_v3") == nullptr);
  CHECK(*cn::find_known_genotype("amoebanet")->value == cn::known::amoebanet);
  CHECK(cn::known::amoebanet.reduction.genes[9] == cn::gene{"sep_conv_3x3", 5, 6});
}

TEST_CASE("the order of NAS-Bench-201's table") {
  CHECK(cn::to_text(cn::nas_bench_201_genotype(0)) ==
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|");
  CHECK(cn::to_text(cn::nas_bench_201_genotype(10)) ==
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|none~2|");
  // FNV-1a of all strings of the table, a line each.
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (int i = 0; i < cn::nas_bench_201_cells; ++i) {
    const cn::genotype g = cn::nas_bench_201_genotype(i);
    for (char c : cn::to_text(g) + "\n") hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    if (i % 41 == 0) CHECK(cn::nas_bench_201_index(g) == i);
  }
  CHECK(hash == 0x8a39d9c5a475c0b1U);
  CHECK_THROWS_AS((void)cn::nas_bench_201_genotype(15625), cn::error);
  CHECK_THROWS_AS((void)cn::nas_bench_201_genotype(-1), cn::error);

  // An edge that is not there is `none`; the order of genes does not matter.
  cn::genotype g = cn::nas_bench_201_genotype(10);
  g.normal.count = 3;
  std::swap(g.normal.genes[0], g.normal.genes[2]);
  CHECK(cn::nas_bench_201_index(g) == 10);
  CHECK_THROWS_WITH_AS(
      (void)cn::nas_bench_201_index(cn::known::darts_v1),
      "crispnas::nas_bench_201_index: a cell of NAS-Bench-201 has one input and three nodes, the last of "
      "which is its output, and no reduction cell beside it.",
      cn::error);
  g.normal.add({"skip_connect", 0, 1});
  CHECK_THROWS_AS((void)cn::nas_bench_201_index(g), cn::error);
  for (int what = 0; what < 3; ++what) {
    cn::genotype other = cn::nas_bench_201_genotype(10);
    other.normal.inputs += what == 0 ? 1 : 0;
    other.normal.nodes += what == 1 ? 1 : 0;
    other.normal.concat += what == 2 ? 2U : 0U;
    CAPTURE(what);
    CHECK_THROWS_WITH_AS((void)cn::nas_bench_201_index(other),
                         doctest::Contains("has one input and three nodes"), cn::error);
  }
  g.normal.count = 0;
  g.normal.add({"sep_conv_3x3", 0, 1});
  CHECK_THROWS_WITH_AS(
      (void)cn::nas_bench_201_index(g),
      "crispnas::nas_bench_201_index: the edge 0 -> 1 has the op 'sep_conv_3x3', which is not of that space.",
      cn::error);
}

TEST_CASE("differences are named, order and none are none") {
  const cn::genotype& v1 = cn::known::darts_v1;
  CHECK(cn::difference(v1, v1, "a", "b").empty());
  cn::genotype other = v1;
  std::swap(other.normal.genes[0], other.normal.genes[5]);
  CHECK_FALSE(other == v1);
  CHECK(cn::equivalent(other, v1));
  other.reduction.add({"none", 3, 4});
  CHECK(cn::difference(other, v1, "a", "b").empty());
  other.reduction.add({"skip_connect", 2, 5});  // a second one on this edge
  other.reduction.concat = 0b110000;
  other.normal.genes[1].op = "sep_conv_5x5";
  CHECK(cn::difference(other, v1, "mine", "DARTS") ==
        "normal cell\n"
        "  only in mine: 0 -> 2 sep_conv_5x5\n"
        "  only in DARTS: 0 -> 2 sep_conv_3x3\n"
        "reduction cell\n"
        "  output: mine 4, 5; DARTS 2, 3, 4, 5\n"
        "  only in mine: 2 -> 5 skip_connect\n");
  CHECK(cn::difference(cn::nas_bench_201_genotype(1), v1, "a", "b")
            .find("inputs and nodes: a 1 and 3, b 2 and 4") != std::string::npos);
  CHECK(cn::difference(cn::nas_bench_201_genotype(1), v1, "a", "b").find("reduction cell\n  only in b\n") !=
        std::string::npos);
}

TEST_CASE("counting refuses what it cannot count") {
  const auto message = [](auto count) -> std::string {
    try {
      (void)count();
    } catch (const cn::error& e) {
      return e.what();
    }
    return "no error";
  };
  cn::genotype g = cn::known::darts_v1;
  CHECK(message([&] { return cn::count_cifar_network(g, {.channels = 0}); }) ==
        "crispnas::count: channels = 0 is not from 1 to 1024.");
  CHECK(message([&] { return cn::count_cifar_network(g, {.image = 30}); }) ==
        "crispnas::count: image = 30 is not a multiple of 4. Take 32.");
  CHECK(message([&] { return cn::count_imagenet_network(g, {.channels = 47}); }) ==
        "crispnas::count: channels = 47 is not a multiple of 2. Take 48.");
  CHECK(message([&] {
          return cn::count_cifar_network(g, {.image = 64, .auxiliary = true});
        }).find("32 pixels") != std::string::npos);
  CHECK(message([&] {
          return cn::count_cifar_network(g, {.cells = 1, .auxiliary = true});
        }).find("two cells or more") != std::string::npos);
  CHECK(message([&] { return cn::count_nas_bench_201_network(g); }).find("one input") != std::string::npos);
  g.normal.genes[2].op = "my_op";
  CHECK(message([&] {
          return cn::count_cifar_network(g);
        }).find("the op 'my_op' of the edge 0 -> 3 has no count.") != std::string::npos);
  g = cn::known::darts_v1;
  g.reduction.concat = 0;
  CHECK(message([&] { return cn::count_cifar_network(g); }).find("no output") != std::string::npos);
  CHECK(message([&] { return cn::count_supernet<cn::spec<>>({.channels = 18}); }) ==
        "crispnas::count: channels = 18 is not a multiple of 8. Take 24.");
  CHECK(cn::describe(cn::count_cifar_network(cn::known::darts_v1).convention).find("no batch norm") !=
        std::string_view::npos);
}

namespace {

/// Texts of all dialects, and texts made of them by inserting, deleting, copying, swapping and renumbering.
class mangled_texts {
 public:
  mangled_texts() {
    for (const auto& k : cn::known_genotypes) {
      for (dialect d : cn::dialects_for(*k.value)) texts_.push_back(cn::to_text(*k.value, d));
    }
    for (std::string_view text : {snas_mild_all, snas_aggressive_all, darts_v2_nested, three_of_14, residual})
      texts_.emplace_back(text);
    for (int i = 0; i < 20; ++i) texts_.push_back(cn::to_text(cn::nas_bench_201_genotype(i * 700)));
    texts_.emplace_back("Genotype(inputs=1, nodes=3, normal=[0->1 a, 0->1 b], normal_concat=[1])");
  }
  const std::vector<std::string>& texts() const { return texts_; }
  std::string next() {
    std::string text = texts_[below(texts_.size())];
    for (std::size_t changes = below(6) + (below(50) == 0 ? 200 : 0) + 1; changes > 0; --changes)
      change(text);
    return text;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  void change(std::string& text) {
    static const std::string characters = "()[]{}|~+,='\"0123456789_- \n\t.>:\\#xNone\xff";
    const std::size_t at = below(text.size() + 1);
    const std::size_t length = below(below(4) == 0 ? 120 : 6);
    switch (below(9)) {
      case 0:
        text.insert(at, 1, characters[below(characters.size())]);
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(below(text.size() + 1), text.substr(at, length));
        break;
      case 3:
        if (at < text.size()) text[at] = characters[below(characters.size())];
        break;
      case 4: {
        const std::string& other = texts_[below(texts_.size())];
        text.replace(at, length, other, below(other.size()), below(60));
        break;
      }
      case 5:  // another number
      case 6: {
        const std::size_t digit = text.find_first_of("0123456789", at);
        if (digit != std::string::npos)
          text.replace(digit, 1, std::to_string(below(below(10) == 0 ? 100000 : 8)));
        break;
      }
      case 7: {  // another op
        const std::size_t name = text.find("conv", at);
        if (name != std::string::npos) text.replace(name, 4, below(2) ? "none" : "my.op:2");
        break;
      }
      default:
        if (below(300) == 0) {
          while (text.size() < 70000) text += text.empty() ? "[" : text;
        } else {
          text.resize(at);
        }
    }
  }
  std::vector<std::string> texts_;
  std::mt19937 random_{11};  // NOLINT: the same texts on every run
};

}  // namespace

TEST_CASE("100,000 mangled texts: an error, or a genotype that is read back from its own text") {
  mangled_texts mangled;
  for (const auto& text : mangled.texts()) CHECK(cn::read_genotype(text).ok);
  int read = 0;
  int refused = 0;
  std::set<dialect> seen;
  double slowest = 0;
  for (int i = 0; i < 100000; ++i) {
    const std::string text = mangled.next();
    const auto start = std::chrono::steady_clock::now();
    const cn::genotype_reading found = cn::read_genotype(text);
    if (!found.ok) {
      ++refused;
      const std::string message = message_of(text);
      REQUIRE_MESSAGE(message.rfind("crispnas::parse_genotype: at position ", 0) == 0, text);
      REQUIRE_MESSAGE(found.fault.position <= text.size(), text);
      REQUIRE_MESSAGE(message.size() < 400, text);
    } else {
      ++read;
      seen.insert(found.written_in);
      REQUIRE_MESSAGE(cn::parse_genotype(cn::to_text(found.value)) == found.value, text);
      for (dialect d : cn::dialects_for(found.value)) {
        const cn::genotype_reading back = cn::read_genotype(cn::to_text(found.value, d));
        REQUIRE_MESSAGE(back.ok, text);
        REQUIRE_MESSAGE(back.written_in == d, text);
        REQUIRE_MESSAGE(cn::equivalent(back.value, found.value), text);
      }
    }
    slowest =
        std::max(slowest, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  CHECK(read > 5000);
  CHECK(refused > 50000);
  CHECK(seen.size() == cn::dialect_names.size());
  CHECK_FAST(slowest < 1.0);
  MESSAGE(read << " read, " << refused << " refused, the slowest took " << slowest << " s");
}

TEST_CASE("Python's comments between genes are read over") {
  const auto commented = cn::parse_genotype(
      "Genotype(normal=[('a', 0), ('b', 1),  # node 2\n ('c', 0), # ] )\n ('d', 2)], normal_concat=[2, 3]) # "
      "the end");
  CHECK(commented == cn::parse_genotype(
                         "Genotype(normal=[('a', 0), ('b', 1), ('c', 0), ('d', 2)], normal_concat=[2, 3])"));
}

TEST_CASE("one wrong source in a list of all edges is no cell of seven nodes") {
  std::string cell;
  for (int to = 2; to < 6; ++to) {
    for (int from = 0; from < to; ++from)
      cell += std::string(cell.empty() ? "" : ", ") + "('none', " + std::to_string(from) + ")";
  }
  const std::string good = "Genotype(normal=[" + cell + "], normal_concat=range(2, 6), reduce=[" + cell +
                           "], reduce_concat=range(2, 6))";
  CHECK(cn::read_genotype(good).written_in == cn::dialect::snas);
  std::string bad = good;
  bad.replace(bad.rfind("('none', 4)"), 11, "('none', 3)");
  const auto reading = cn::read_genotype(bad);
  CHECK(!reading.ok);
  CHECK(std::string(reading.fault.expected).find("all edges") != std::string::npos);
}

}  // namespace dialects_test
