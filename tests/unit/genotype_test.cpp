#include <doctest/doctest.h>

#include <algorithm>
#include <crispnas/genotype/draw.hpp>
#include <crispnas/genotype/genotype.hpp>
#include <crispnas/genotype/known.hpp>
#include <crispnas/genotype/text.hpp>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace genotype_test {

namespace cn = crispnas;

namespace {

struct published {
  const char* name;
  const cn::genotype* constant;
  const char* text;
};

// As their repositories print them: DARTS, PC-DARTS, P-DARTS, SNAS, SmoothDARTS; NASNet and PNASNet in
// DARTS's form.
const published all_published[] = {
    {"NASNet", &cn::known::nasnet,
     "Genotype(normal=[('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 0), "
     "('sep_conv_3x3', 0), ('avg_pool_3x3', 1), ('skip_connect', 0), ('avg_pool_3x3', 0), "
     "('avg_pool_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 1)], normal_concat=[2, 3, 4, 5, 6], "
     "reduce=[('sep_conv_5x5', 1), ('sep_conv_7x7', 0), ('max_pool_3x3', 1), ('sep_conv_7x7', 0), "
     "('avg_pool_3x3', 1), ('sep_conv_5x5', 0), ('skip_connect', 3), ('avg_pool_3x3', 2), "
     "('sep_conv_3x3', 2), ('max_pool_3x3', 1)], reduce_concat=[4, 5, 6])"},
    {"DARTS_V1", &cn::known::darts_v1,
     "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), "
     "('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
     "('skip_connect', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', "
     "1), ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0), ('skip_connect', 2), "
     "('skip_connect', 2), ('avg_pool_3x3', 0)], reduce_concat=[2, 3, 4, 5])"},
    {"DARTS_V2", &cn::known::darts_v2,
     "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
     "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
     "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', "
     "1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), "
     "('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"},
    {"PC_DARTS_cifar", &cn::known::pc_darts_cifar,
     "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), "
     "('dil_conv_3x3', 1), ('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('avg_pool_3x3', 0), "
     "('dil_conv_3x3', 1)], normal_concat=[2, 3, 4, 5], reduce=[('sep_conv_5x5', 1), ('max_pool_3x3', "
     "0), ('sep_conv_5x5', 1), ('sep_conv_5x5', 2), ('sep_conv_3x3', 0), ('sep_conv_3x3', 3), "
     "('sep_conv_3x3', 1), ('sep_conv_3x3', 2)], reduce_concat=[2, 3, 4, 5])"},
    {"PC_DARTS_image", &cn::known::pc_darts_image,
     "Genotype(normal=[('skip_connect', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 0), "
     "('skip_connect', 1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), "
     "('dil_conv_5x5', 4)], normal_concat=[2, 3, 4, 5], reduce=[('sep_conv_3x3', 0), ('skip_connect', "
     "1), ('dil_conv_5x5', 2), ('max_pool_3x3', 1), ('sep_conv_3x3', 2), ('sep_conv_3x3', 1), "
     "('sep_conv_5x5', 0), ('sep_conv_3x3', 3)], reduce_concat=[2, 3, 4, 5])"},
    {"PDARTS", &cn::known::pdarts,
     "Genotype(normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('skip_connect', 0), "
     "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3', 0), "
     "('dil_conv_5x5', 4)], normal_concat=[2, 3, 4, 5], reduce=[('avg_pool_3x3', 0), ('sep_conv_5x5', "
     "1), ('sep_conv_3x3', 0), ('dil_conv_5x5', 2), ('max_pool_3x3', 0), ('dil_conv_3x3', 1), "
     "('dil_conv_3x3', 1), ('dil_conv_5x5', 3)], reduce_concat=[2, 3, 4, 5])"},
    {"SNAS_moderate", &cn::known::snas_moderate,
     "Genotype(normal=[('dil_conv_5x5', 0), ('skip_connect', 1), ('sep_conv_3x3', 0), "
     "('skip_connect', 1), ('skip_connect', 0), ('skip_connect', 1), ('sep_conv_3x3', 0), "
     "('dil_conv_5x5', 1)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', "
     "1), ('sep_conv_5x5', 0), ('dil_conv_5x5', 1), ('sep_conv_5x5', 0), ('sep_conv_5x5', 1), "
     "('sep_conv_5x5', 0), ('sep_conv_5x5', 1)], reduce_concat=[2, 3, 4, 5])"},
    {"c10_s5_random", &cn::known::sdarts_rs,
     "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 1), "
     "('skip_connect', 0), ('sep_conv_3x3', 3), ('skip_connect', 1), ('sep_conv_3x3', 1), "
     "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('sep_conv_3x3', "
     "1), ('skip_connect', 2), ('max_pool_3x3', 0), ('dil_conv_5x5', 3), ('max_pool_3x3', 0), "
     "('sep_conv_3x3', 2), ('sep_conv_5x5', 3)], reduce_concat=[2, 3, 4, 5])"},
    {"PNASNet", &cn::known::pnasnet,
     "Genotype(normal=[('sep_conv_5x5', 0), ('max_pool_3x3', 0), ('sep_conv_7x7', 1), "
     "('max_pool_3x3', 1), ('sep_conv_5x5', 1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 4), "
     "('max_pool_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 1)], normal_concat=[2, 3, 4, 5, 6], "
     "reduce=[('sep_conv_5x5', 0), ('max_pool_3x3', 0), ('sep_conv_7x7', 1), ('max_pool_3x3', 1), "
     "('sep_conv_5x5', 1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 4), ('max_pool_3x3', 1), "
     "('sep_conv_3x3', 0), ('skip_connect', 1)], reduce_concat=[2, 3, 4, 5, 6])"},
};

std::string without_spaces(std::string text) {
  text.erase(
      std::remove_if(text.begin(), text.end(), [](char c) { return c == ' ' || c == '\n' || c == '\t'; }),
      text.end());
  return text;
}

/// range(2, 6) and [2, 3, 4, 5] say the same.
std::string with_ranges(std::string text) {
  for (int nodes = 1; nodes <= 5; ++nodes) {
    std::string list = "[2";
    for (int s = 3; s < 2 + nodes; ++s) list += "," + std::to_string(s);
    const std::string concat = "_concat=" + list + "]";
    const std::string range = "_concat=range(2," + std::to_string(2 + nodes) + ")";
    for (std::size_t at = text.find(concat); at != std::string::npos; at = text.find(concat, at)) {
      text.replace(at, concat.size(), range);
    }
  }
  return text;
}

std::string message_of(std::string_view text) {
  try {
    (void)cn::parse_genotype(text);
  } catch (const cn::error& e) {
    return e.what();
  }
  return "no error";
}

void fails(std::string_view text, std::size_t position, std::string_view expected, std::string_view found) {
  const std::string message = message_of(text);
  CAPTURE(text);
  CAPTURE(message);
  CHECK(message.substr(0, message.find('\n')) ==
        "crispnas::parse_genotype: at position " + std::to_string(position) + ": expected " +
            std::string(expected) + ", found " + std::string(found) + ".");
}

constexpr std::string_view three_of_14 =
    "Genotype(normal=[1->3 sep_conv_3x3, 3->4 skip_connect, 0->5 dil_conv_5x5], normal_concat=[3, 4, 5], "
    "reduce=[0->2 max_pool_3x3, 1->4 skip_connect, 4->5 dil_conv_5x5], reduce_concat=[2, 4, 5])";
constexpr std::string_view residual =
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|";

/// A small check that a text is well-formed XML: tags nest, attributes are quoted, entities are known.
std::string xml_fault(const std::string& text) {
  std::vector<std::string> open;
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '&') {
      bool known = false;
      for (const char* entity : {"&lt;", "&gt;", "&amp;", "&quot;"})
        known = known || text.compare(at, std::string(entity).size(), entity) == 0;
      if (!known) return "entity at " + std::to_string(at);
    }
    if (text[at] == '>') return "stray > at " + std::to_string(at);
    if (text[at] != '<') {
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    bool quoted = false;
    while (end < text.size() && (quoted || text[end] != '>')) {
      if (text[end] == '"') quoted = !quoted;
      if (text[end] == '<') return "< in a tag at " + std::to_string(end);
      ++end;
    }
    if (end == text.size()) return "a tag that does not end";
    const std::string tag = text.substr(at + 1, end - at - 1);
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return "closing " + tag;
      open.pop_back();
    } else {
      const std::string name = tag.substr(0, tag.find_first_of(" /"));
      for (std::size_t eq = tag.find('='); eq != std::string::npos;
           eq = tag.find('=', tag.find('"', eq + 2))) {
        if (tag[eq + 1] != '"') return "attribute without quotes in " + tag;
      }
      if (tag.back() != '/') open.push_back(name);
    }
    at = end + 1;
  }
  return open.empty() ? "" : "open " + open.back();
}

struct box {
  double x, y, width, height;
};

double attribute(const std::string& tag, const std::string& name) {
  const std::size_t at = tag.find(" " + name + "=\"");
  REQUIRE(at != std::string::npos);
  return std::strtod(tag.c_str() + at + name.size() + 3, nullptr);
}

std::vector<std::string> tags(const std::string& svg, const std::string& start) {
  std::vector<std::string> found;
  for (std::size_t at = svg.find(start); at != std::string::npos; at = svg.find(start, at + 1)) {
    found.push_back(svg.substr(at, svg.find('>', at) - at));
  }
  return found;
}

/// Every box and circle of the picture.
std::vector<box> shapes(const std::string& svg) {
  std::vector<box> found;
  for (const auto& tag : tags(svg, "<rect")) {
    found.push_back(
        {attribute(tag, "x"), attribute(tag, "y"), attribute(tag, "width"), attribute(tag, "height")});
  }
  for (const auto& tag : tags(svg, "<circle")) {
    const double r = attribute(tag, "r");
    found.push_back({attribute(tag, "cx") - r, attribute(tag, "cy") - r, 2 * r, 2 * r});
  }
  return found;
}

std::size_t times(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

void draws_well(const cn::cell_genotype& cell) {
  const std::string svg = cn::to_svg(cell, "a \"title\" of <1> & more");
  CHECK(xml_fault(svg) == "");
  const std::vector<box> all = shapes(svg);
  CHECK(all.size() == static_cast<std::size_t>(cell.count + cell.states() + 1));
  const std::string header = svg.substr(0, svg.find('>'));
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(all[i].x >= 0);
    CHECK(all[i].y >= 0);
    CHECK(all[i].x + all[i].width <= attribute(header, "width"));
    CHECK(all[i].y + all[i].height <= attribute(header, "height"));
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      const bool apart = all[i].x + all[i].width <= all[j].x || all[j].x + all[j].width <= all[i].x ||
                         all[i].y + all[i].height <= all[j].y || all[j].y + all[j].height <= all[i].y;
      CHECK_MESSAGE(apart, svg);
    }
  }
  for (const auto& x : cell) CHECK(svg.find(">" + std::string(x.op.view()) + "<") != std::string::npos);
  int dead = 0;
  int in_output = 0;
  for (int s = cell.inputs; s < cell.states(); ++s) {
    dead += cell.alive(s) ? 0 : 1;
    in_output += (cell.concat >> s) & 1U ? 1 : 0;
  }
  CHECK(times(svg, "class=\"d\"") == static_cast<std::size_t>(dead));
  CHECK(times(svg, "class=\"c\"") == static_cast<std::size_t>(in_output));

  const std::string dot = cn::to_dot(cell);
  CHECK(dot.rfind("digraph cell {\n", 0) == 0);
  CHECK(dot.substr(dot.size() - 2) == "}\n");
  CHECK(times(dot, " -> ") == static_cast<std::size_t>(cell.count + in_output));
  CHECK(times(dot, " -> out") == static_cast<std::size_t>(in_output));
  CHECK(times(dot, "style=dashed") == static_cast<std::size_t>(dead));
  CHECK(times(dot, "\"") % 2 == 0);
}

// A genotype is a value of a type: it can be a template argument, and its text is read by the compiler.
template <cn::genotype G>
constexpr int normal_edges = G.normal.kept_edges();
constexpr cn::genotype found_3_of_14 = cn::parse_genotype(three_of_14);
static_assert(normal_edges<found_3_of_14> == 3 && normal_edges<cn::parse_genotype(residual)> == 6);
static_assert(!found_3_of_14.normal.alive(2) && found_3_of_14.normal.alive(3) &&
              found_3_of_14.normal.alive(0));

}  // namespace

TEST_CASE("published genotypes are read and written back as they are") {
  for (const published& p : all_published) {
    CAPTURE(p.name);
    const cn::genotype g = cn::parse_genotype(p.text);
    CHECK(g == *p.constant);
    CHECK(g.has_reduction);
    CHECK(g.normal.nodes == g.reduction.nodes);
    CHECK(g.normal.size() == 2 * g.normal.nodes);
    CHECK(without_spaces(cn::to_text(g)) == with_ranges(without_spaces(p.text)));
    CHECK(cn::parse_genotype(cn::to_text(g)) == g);
  }
}

TEST_CASE("published genotypes of other dialects are the constants") {
  const published others[] = {
      {"AmoebaNet", &cn::known::amoebanet,
       "Genotype(normal=[('avg_pool_3x3', 0), ('max_pool_3x3', 1), ('sep_conv_3x3', 0), ('sep_co"
       "nv_5x5', 2), ('sep_conv_3x3', 0), ('avg_pool_3x3', 3), ('sep_conv_3x3', 1), ('skip_conne"
       "ct', 1), ('skip_connect', 0), ('avg_pool_3x3', 1)], normal_concat=[4, 5, 6], reduce=[('a"
       "vg_pool_3x3', 0), ('sep_conv_3x3', 1), ('max_pool_3x3', 0), ('sep_conv_7x7', 2), ('sep_c"
       "onv_7x7', 0), ('avg_pool_3x3', 1), ('max_pool_3x3', 0), ('max_pool_3x3', 1), ('conv_7x1_"
       "1x7', 0), ('sep_conv_3x3', 5)], reduce_concat=[3, 4, 6])"},
      {"FairDARTS_a", &cn::known::fairdarts_a,
       "Genotype(normal=[('sep_conv_3x3', 2, 0), ('sep_conv_5x5', 2, 1), ('max_pool_3x3', 4, 0),"
       " ('sep_conv_3x3', 5, 0)], normal_concat=range(2, 6), reduce=[('max_pool_3x3', 2, 0), ('a"
       "vg_pool_3x3', 2, 1), ('avg_pool_3x3', 3, 0), ('dil_conv_5x5', 3, 1), ('avg_pool_3x3', 4,"
       " 0), ('sep_conv_5x5', 4, 1), ('skip_connect', 5, 0), ('skip_connect', 5, 1)], reduce_con"
       "cat=range(2, 6))"},
      {"FairDARTS_b", &cn::known::fairdarts_b,
       "Genotype(normal=[('sep_conv_3x3', 2, 0), ('sep_conv_3x3', 2, 1), ('sep_conv_3x3', 3, 1),"
       " ('dil_conv_3x3', 4, 0), ('sep_conv_5x5', 4, 1), ('dil_conv_5x5', 5, 1)], normal_concat="
       "range(2, 6), reduce=[('skip_connect', 2, 0), ('dil_conv_3x3', 2, 1), ('skip_connect', 3,"
       " 0), ('dil_conv_3x3', 3, 1), ('max_pool_3x3', 4, 0), ('sep_conv_3x3', 4, 1), ('skip_conn"
       "ect', 5, 2), ('max_pool_3x3', 5, 0)], reduce_concat=range(2, 6))"},
      {"FairDARTS_c", &cn::known::fairdarts_c,
       "Genotype(normal=[('max_pool_3x3', 2, 0), ('sep_conv_5x5', 2, 1), ('dil_conv_3x3', 4, 0),"
       " ('dil_conv_5x5', 4, 2), ('skip_connect', 5, 3), ('sep_conv_3x3', 5, 0)], normal_concat="
       "range(2, 6), reduce=[('dil_conv_3x3', 2, 1), ('dil_conv_5x5', 2, 0), ('dil_conv_3x3', 3,"
       " 0), ('sep_conv_3x3', 3, 1), ('sep_conv_5x5', 4, 0), ('sep_conv_5x5', 4, 3), ('sep_conv_"
       "5x5', 5, 0), ('skip_connect', 5, 1)], reduce_concat=range(2, 6))"},
  };
  for (const published& p : others) {
    CAPTURE(p.name);
    CHECK(cn::parse_genotype(p.text) == *p.constant);
  }
}

TEST_CASE("the genes of DARTS_V1") {
  const cn::genotype g = cn::parse_genotype(all_published[1].text);
  REQUIRE(std::string(all_published[1].name) == "DARTS_V1");
  CHECK(g.normal.nodes == 4);
  CHECK(g.normal.concat == 0b111100);
  CHECK(g.normal.genes[0] == cn::gene{"sep_conv_3x3", 1, 2});
  CHECK(g.normal.genes[3] == cn::gene{"sep_conv_3x3", 1, 3});
  CHECK(g.normal.genes[7] == cn::gene{"skip_connect", 2, 5});
  CHECK(g.reduction.genes[7] == cn::gene{"avg_pool_3x3", 0, 5});
  CHECK(g.normal.kept_edges() == 8);
}

TEST_CASE("the genes of NASNet: one source twice on a node, nodes that are not in the output, five nodes") {
  REQUIRE(std::string(all_published[0].name) == "NASNet");
  const cn::genotype g = cn::parse_genotype(all_published[0].text);
  CHECK(g.normal.nodes == 5);
  CHECK(g.normal.concat == 0b1111100);
  CHECK(g.reduction.concat == 0b1110000);
  CHECK(g.normal.size() == 10);
  // Nodes 3, 5 and 6 read one source twice each.
  CHECK(g.normal.kept_edges() == 7);
}

TEST_CASE("white space, quotes and the two forms of concat do not matter") {
  const cn::genotype plain = cn::parse_genotype(
      "Genotype(normal=[('skip_connect', 0), ('sep_conv_3x3', 1)], normal_concat=range(2, 3), "
      "reduce=[('max_pool_3x3', 0), ('none', 1)], reduce_concat=[2])");
  CHECK(
      plain ==
      cn::parse_genotype(
          "  Genotype ( normal = [ ( \"skip_connect\" ,0),\n\t('sep_conv_3x3',1) , ] ,normal_concat=[2,],\r\n"
          "reduce=[('max_pool_3x3',  0),('none', 1)],   reduce_concat = range( 2 ,3 ) ) \n"));
  CHECK(plain.reduction.genes[1].op.view() == "none");
  CHECK(plain ==
        cn::parse_genotype("Genotype(normal=[('skip_connect', 0), ('sep_conv_3x3', 1)], normal_concat=(2), "
                           "reduce=[('max_pool_3x3', 0), ('none', 1)], reduce_concat=(2,))"));
}

TEST_CASE("an edge list says what DARTS's text cannot") {
  CHECK(cn::to_text(found_3_of_14) == three_of_14);
  CHECK(found_3_of_14.normal.genes[0] == cn::gene{"sep_conv_3x3", 1, 3});
  CHECK(found_3_of_14.reduction.concat == 0b110100);
  CHECK_FALSE(cn::fits_darts_text(found_3_of_14.normal));

  SUBCASE("two ops on one edge") {
    cn::genotype g;
    g.has_reduction = false;
    g.normal.nodes = 1;
    g.normal.concat = 0b100;
    g.normal.add({"skip_connect", 0, 2});
    g.normal.add({"sep_conv_3x3", 0, 2});
    g.normal.add({"sep_conv_3x3", 1, 2});
    CHECK(g.normal.kept_edges() == 2);
    CHECK(cn::to_text(g) ==
          "Genotype(normal=[0->2 skip_connect, 0->2 sep_conv_3x3, 1->2 sep_conv_3x3], normal_concat=range(2, "
          "3))");
    CHECK(cn::parse_genotype(cn::to_text(g)) == g);
  }
  SUBCASE("one input, and last nodes that nothing speaks of") {
    cn::genotype g;
    g.normal.inputs = g.reduction.inputs = 1;
    g.normal.nodes = g.reduction.nodes = 3;
    g.normal.concat = g.reduction.concat = 0b10;
    g.normal.add({"skip_connect", 0, 1});
    g.reduction.add({"max_pool_3x3", 0, 1});
    CHECK(cn::to_text(g) ==
          "Genotype(inputs=1, nodes=3, normal=[0->1 skip_connect], normal_concat=[1], "
          "reduce=[0->1 max_pool_3x3], reduce_concat=[1])");
    CHECK(cn::parse_genotype(cn::to_text(g)) == g);
  }
  SUBCASE("where one cell has two genes for every node, the other not, both are edge lists") {
    cn::genotype g = found_3_of_14;
    g.normal = cn::parse_genotype(all_published[1].text).normal;
    CHECK(cn::fits_darts_text(g.normal));
    CHECK(cn::to_text(g).rfind("Genotype(normal=[1->2 sep_conv_3x3, 0->2 sep_conv_3x3, 0->3 skip_connect,",
                               0) == 0);
    CHECK(cn::parse_genotype(cn::to_text(g)) == g);
  }
}

TEST_CASE("the string of NAS-Bench-201") {
  const cn::genotype g = cn::parse_genotype(residual);
  CHECK_FALSE(g.has_reduction);
  CHECK(g.normal.inputs == 1);
  CHECK(g.normal.nodes == 3);
  CHECK(g.normal.concat == 0b1000);
  CHECK(g.normal.genes[3] == cn::gene{"skip_connect", 0, 3});
  CHECK(g.normal.kept_edges() == 6);
  CHECK(cn::to_text(g) == residual);
  CHECK(cn::parse_genotype(" | nor_conv_3x3 ~ 0 | + |none~0|none~1| ").normal.nodes == 2);

  cn::genotype other = g;
  other.normal.concat = 0b1110;  // not the output that the string means
  CHECK(cn::to_text(other).rfind("Genotype(inputs=1, nodes=3, normal=[0->1 nor_conv_3x3,", 0) == 0);
  CHECK(cn::parse_genotype(cn::to_text(other)) == other);
}

TEST_CASE("errors say where, what was expected and what was found") {
  fails("", 0, "'Genotype'", "the end of the text");
  fails("genotype(normal=[])", 0, "'Genotype'", "'genotype(normal='");
  fails("Genotype(norm=[])", 9, "'normal'", "'norm=[])'");
  fails("Genotype(normal=[('sep_conv_3x3' 1)", 33, "','", "'1)'");
  fails("Genotype(normal=[('sep_conv_3x3', 2)", 34, "a state before the node, from 0 to 1", "'2)'");
  fails("Genotype(normal=[('sep conv', 1)", 23, "'''", "'conv', 1)'");
  fails("Genotype(normal=[('', 1)", 19, "the name of an op (letters, digits, _ - . :, at most 31 characters)",
        "'', 1)'");
  fails("Genotype(normal=[('a', 0), ('b', 1), ('c', 0)], normal_concat=[2])", 45, "two genes for every node",
        "'], normal_concat'");
  fails("Genotype(normal=[('a', 0), 0->2 b], normal_concat=[2])", 27, "'('", "'0->2 b], normal_'");
  fails("Genotype(normal=[0->2 a, ('b', 1)], normal_concat=[2])", 25, "a state from 0 to 29",
        "'('b', 1)], norma'");
  fails("Genotype(normal=[3->3 a], normal_concat=[3])", 20, "a node after the source, from 4 to 30",
        "'3 a], normal_con'");
  fails("Genotype(normal=[0->1 a], normal_concat=[2])", 20, "a node after the source, from 2 to 30",
        "'1 a], normal_con'");
  fails("Genotype(nodes=2, normal=[0->4 a], normal_concat=[2])", 29, "a node after the source, from 2 to 3",
        "'4 a], normal_con'");
  fails("Genotype(inputs=0, nodes=2, normal=[])", 16, "a number of inputs from 1 to 8", "'0, nodes=2, norm'");
  fails("Genotype(normal=[0->2 a])", 24, "','", "')'");
  fails("Genotype(normal=[0->2 a], normal_concat=[1])", 41, "a node from 2 to 30", "'1])'");
  fails("Genotype(normal=[0->2 a], normal_concat=range(3, 2))", 49, "a state from 3 to 31", "'2))'");
  fails("Genotype(normal=[0->2 a], normal_concat=2)", 40, "'('", "'2)'");
  fails("Genotype(normal=[0->2 a], normal_concat=[2]) mine", 45, "the end of the text", "'mine'");
  fails("Genotype(normal=[0->2 a], normal_concat=[2], reduce=[])", 54, "','", "')'");
  fails("Genotype(normal=[0->2 abcdefghijklmnopqrstuvwxyz_12345], normal_concat=[2])", 22,
        "the name of an op (letters, digits, _ - . :, at most 31 characters)", "'abcdefghijklmnop'");
  fails("|a~0|+|b~1|c~1|", 9, "the states in order: a number from 0 to 0", "'1|c~1|'");
  fails("|a~0|+|b~0|", 11, "the name of an op (letters, digits, _ - . :, at most 31 characters)",
        "the end of the text");
  fails("|a~0|x", 5, "the end of the text", "'x'");
  // FairDARTS's triples are (op, to, from): no op enters an input.
  fails("Genotype(normal=[('sep_conv_3x3', 1, 0)], normal_concat=range(2, 6))", 34, "a node from 2 to 30",
        "'1, 0)], normal_c'");
}

TEST_CASE("a cell refuses what it cannot hold") {
  cn::cell_genotype cell;
  CHECK_THROWS_WITH_AS(cell.add({"a", 3, 2}),
                       "crispnas::cell_genotype: an edge goes from a lower state to a node; 3 -> 2 does not, "
                       "in a cell of 2 inputs "
                       "and 4 nodes.",
                       cn::error);
  CHECK_THROWS_AS(cell.add({"a", 0, 1}), cn::error);
  CHECK_THROWS_AS(cell.add({"a", -1, 2}), cn::error);
  CHECK_THROWS_AS(cell.add({"a", 0, 6}), cn::error);
  CHECK(cell.size() == 0);
  for (int i = 0; i < cn::cell_genotype::capacity; ++i) cell.add({"a", 0, 2});
  CHECK_THROWS_WITH_AS(cell.add({"a", 0, 2}), "crispnas::cell_genotype: more than 64 genes.", cn::error);
  CHECK(cell.kept_edges() == 1);
  CHECK(cn::op_name("abcdefghijklmnopqrstuvwxyz_1234").view().size() == 31);
  CHECK_THROWS_AS(cn::op_name("abcdefghijklmnopqrstuvwxyz_12345"), cn::error);

  std::string long_list = "Genotype(normal=[0->2 a";
  for (int i = 0; i < 64; ++i) long_list += ", 0->2 a";
  CHECK(message_of(long_list + "], normal_concat=[2])").find("expected at most 64 genes") !=
        std::string::npos);
}

TEST_CASE("what could not be read back is not written") {
  cn::genotype g;
  g.has_reduction = false;
  g.normal.add({"my op", 0, 2});
  CHECK_THROWS_WITH_AS(
      cn::to_text(g),
      "crispnas::to_text: the dialect 'edge_list' cannot express this genotype: normal cell, "
      "the op 'my op' could not be read back; letters, digits and _ - . : could. No dialect can.",
      cn::error);
  g = found_3_of_14;
  g.reduction.nodes = 5;
  CHECK_THROWS_AS(cn::to_text(g), cn::error);
}

namespace {

class random_genotypes {
 public:
  cn::genotype next() {
    const int inputs = 1 + below(2);
    const int nodes = 1 + below(6);
    cn::genotype g;
    g.has_reduction = below(4) > 0;
    g.normal = cell(inputs, nodes, below(3));
    if (g.has_reduction) g.reduction = cell(inputs, nodes, below(3));
    return g;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  /// `kind` 0: two genes for every node; 1: one on every edge; else anything, dead nodes and several ops on
  /// an edge included.
  cn::cell_genotype cell(int inputs, int nodes, int kind) {
    const char* ops[] = {"none",         "skip_connect", "sep_conv_3x3",
                         "conv_7x1_1x7", "my-op.v2",     "a_name_of_31_characters_in_all"};
    cn::cell_genotype found;
    found.inputs = inputs;
    found.nodes = nodes;
    for (int to = inputs; to < inputs + nodes; ++to) {
      if (kind == 0) {
        for (int i = 0; i < 2; ++i) found.add({ops[below(6)], below(to), to});
        continue;
      }
      for (int from = 0; from < to; ++from) {
        for (int i = kind == 1 ? 1 : below(3); i > 0; --i) found.add({ops[below(6)], from, to});
      }
      if (kind == 1 || below(2)) found.concat |= 1U << to;
    }
    if (kind == 1 && inputs == 1) found.concat = 1U << nodes;
    if (kind == 0) found.concat = ((1U << nodes) - 1U) << inputs;
    return found;
  }
  std::mt19937 random_{7};  // NOLINT: the same genotypes on every run
};

}  // namespace

TEST_CASE("any genotype is read back from its text as it was") {
  random_genotypes random;
  int darts = 0;
  int residuals = 0;
  int lists = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    const cn::genotype g = random.next();
    const std::string text = cn::to_text(g);
    CAPTURE(text);
    CHECK(cn::parse_genotype(text) == g);
    (text.find("->") != std::string::npos ? lists : text[0] == '|' ? residuals : darts) += 1;
  }
  CHECK(darts > 100);
  CHECK(residuals > 20);
  CHECK(lists > 500);
}

TEST_CASE("no prefix of a text is taken for a genotype") {
  for (const std::string_view text : {three_of_14, std::string_view(all_published[0].text)}) {
    for (std::size_t length = 0; length < text.size(); ++length) {
      CAPTURE(length);
      CHECK_THROWS_AS(cn::parse_genotype(text.substr(0, length)), cn::error);
    }
  }
}

TEST_CASE("pictures are well-formed, and nothing in them overlaps") {
  draws_well(found_3_of_14.normal);
  draws_well(found_3_of_14.reduction);
  draws_well(cn::parse_genotype(residual).normal);
  draws_well(cn::cell_genotype{});
  for (const published& p : all_published) {
    CAPTURE(p.name);
    const cn::genotype g = cn::parse_genotype(p.text);
    draws_well(g.normal);
    draws_well(g.reduction);
  }
  random_genotypes random;
  for (int trial = 0; trial < 100; ++trial) draws_well(random.next().normal);
}

TEST_CASE("states are labelled as in published pictures") {
  const std::string svg = cn::to_svg(found_3_of_14.normal);
  for (const char* label : {">c_{k-2}<", ">c_{k-1}<", ">c_{k}<", ">0<", ">1<", ">2<", ">3<"}) {
    CAPTURE(label);
    CHECK(times(svg, label) == 1);
  }
  CHECK(times(svg, ">c_{k-0}<") == 0);
  const std::string one_input = cn::to_svg(cn::parse_genotype(residual).normal);
  CHECK(times(one_input, ">c_{k-1}<") == 1);
  CHECK(times(one_input, ">c_{k-2}<") == 0);
}

TEST_CASE("the names of a user's ops are escaped") {
  cn::cell_genotype cell;
  cell.add({"a<b>&\"c\"", 0, 2});
  CHECK(xml_fault(cn::to_svg(cell)) == "");
  CHECK(cn::to_svg(cell).find("a&lt;b&gt;&amp;&quot;c&quot;") != std::string::npos);
  CHECK(cn::to_dot(cell).find("[label=\"a<b>&\\\"c\\\"\"]") != std::string::npos);
}

}  // namespace genotype_test
