// The header of .safetensors files, without LibTorch: what is accepted, what is refused and where, and
// 100,000 mutated files against a second reading by another JSON parser.
#include <array>
#include <chrono>
#include <crispnas/io/safetensors_header.hpp>
#include <cstdint>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "files.hpp"

namespace safetensors_header_test {

namespace cn = crispnas;

namespace {

using nlohmann::json;

std::string with_length(const std::string& header, const std::string& data = "") {
  std::string file;
  for (std::size_t i = 0; i < 8; ++i) file += static_cast<char>((header.size() >> (8 * i)) & 0xFF);
  return file + header + data;
}

cn::safetensors_header read(const std::string& file) {
  std::array<unsigned char, 8> first{};
  if (file.size() < first.size()) throw cn::error("no length");
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<unsigned char>(file[i]);
  const auto length = static_cast<std::size_t>(cn::safetensors_header_length(first, file.size()));
  return cn::parse_safetensors_header(std::string_view(file).substr(8, length), file.size() - 8 - length);
}

std::string said(const std::string& header, std::uint64_t data_bytes) {
  return tests::message_of([&] { cn::parse_safetensors_header(header, data_bytes); });
}

/// SplitMix64: the same numbers everywhere.
struct random_bits {
  std::uint64_t state;
  std::uint64_t operator()() {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>((*this)() % n); }
};

/// The second reading: nlohmann's parser and the rules of the format, written apart. Null where the file is
/// refused.
std::optional<json> second_reading(const std::string& file) {
  if (file.size() < 8) return std::nullopt;
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= std::uint64_t(static_cast<unsigned char>(file[i])) << (8 * i);
  if (length > (std::uint64_t{16} << 20) || length > file.size() - 8) return std::nullopt;
  const std::string text = file.substr(8, static_cast<std::size_t>(length));
  // nlohmann's parser takes a zero byte for the end of its input.
  if (text.empty() || text[0] != '{' || text.find('\0') != std::string::npos) return std::nullopt;
  std::vector<std::set<std::string>> keys;
  bool twice = false;
  const json parsed = json::parse(
      text,
      [&](int, json::parse_event_t event, json& value) {
        if (event == json::parse_event_t::object_start) keys.emplace_back();
        if (event == json::parse_event_t::object_end) keys.pop_back();
        if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
          twice = true;
        return true;
      },
      false);
  if (parsed.is_discarded() || twice || !parsed.is_object()) return std::nullopt;
  constexpr std::uint64_t largest = 0x7FFFFFFFFFFFFFFFULL;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
  for (const auto& [name, value] : parsed.items()) {
    if (!value.is_object()) return std::nullopt;
    if (name == "__metadata__") {
      for (const auto& text_value : value) {
        if (!text_value.is_string()) return std::nullopt;
      }
      continue;
    }
    if (value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets")) {
      return std::nullopt;
    }
    const std::map<std::string, std::uint64_t> sizes{{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2},
                                                     {"I64", 8}, {"I32", 4}, {"I16", 2}, {"I8", 1},
                                                     {"U8", 1},  {"BOOL", 1}};
    const auto& type = value["dtype"];
    if (!type.is_string() || !sizes.contains(type.get<std::string>())) return std::nullopt;
    std::uint64_t bytes = sizes.at(type.get<std::string>());
    bool empty = false;
    const auto whole = [&](const json& n) {
      return n.is_number_unsigned() && n.get<std::uint64_t>() <= largest;
    };
    if (!value["shape"].is_array() || value["shape"].size() > 64) return std::nullopt;
    for (const auto& dimension : value["shape"]) {
      if (!whole(dimension)) return std::nullopt;
      empty = empty || dimension.get<std::uint64_t>() == 0;
      const auto size = std::max<std::uint64_t>(dimension.get<std::uint64_t>(), 1);
      if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > largest) return std::nullopt;
    }
    const auto& place = value["data_offsets"];
    if (!place.is_array() || place.size() != 2 || !whole(place[0]) || !whole(place[1])) return std::nullopt;
    places.emplace_back(place[0].get<std::uint64_t>(), place[1].get<std::uint64_t>());
    if (places.back().second - places.back().first != (empty ? 0 : bytes)) return std::nullopt;
  }
  std::sort(places.begin(), places.end());
  std::uint64_t end = 0;
  for (const auto& [from, to] : places) {
    if (from != end || to < from) return std::nullopt;
    end = to;
  }
  if (end != file.size() - 8 - length) return std::nullopt;
  return parsed;
}

/// Our header as the JSON that it came from.
json as_json(const cn::safetensors_header& header, bool has_metadata) {
  json all = json::object();
  for (const auto& t : header.tensors) {
    all[t.name] = {
        {"dtype", cn::facts_of(t.type).name}, {"shape", t.shape}, {"data_offsets", {t.begin, t.end}}};
  }
  if (has_metadata) {
    all["__metadata__"] = json::object();
    for (const auto& [key, value] : header.metadata) all["__metadata__"][key] = value;
  }
  return all;
}

}  // namespace

TEST_CASE("a header: tensors in the order of their bytes, metadata, spaces behind") {
  const auto header = cn::parse_safetensors_header(
      R"({"b" : {"shape":[2, 3],"dtype":"F16","data_offsets":[8,20]},"__metadata__":{"format":"pt","\u00e4":"\ud83d\ude00"},)"
      R"("a":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"c":{"dtype":"BOOL","shape":[0,7],"data_offsets":[20,20]}}   )",
      20);
  REQUIRE(header.tensors.size() == 3);
  CHECK(header.tensors[0] == cn::stored_tensor{"a", cn::stored_type::i64, {}, 0, 8});
  CHECK(header.tensors[1] == cn::stored_tensor{"b", cn::stored_type::f16, {2, 3}, 8, 20});
  CHECK(header.tensors[2] == cn::stored_tensor{"c", cn::stored_type::boolean, {0, 7}, 20, 20});
  REQUIRE(header.metadata.size() == 2);
  CHECK(header.metadata[1].first == "\xC3\xA4");
  CHECK(header.metadata[1].second == "\xF0\x9F\x98\x80");
  CHECK(cn::parse_safetensors_header("{}", 0).tensors.empty());
}

TEST_CASE("what is refused, and where") {
  const auto one = [](const std::string& inner) { return R"({"a":{)" + inner + "}}"; };
  const std::string good = R"("dtype":"F32","shape":[2],"data_offsets":[0,8])";
  CHECK(said(one(good), 8).empty());
  CHECK_SAYS(said(one(good), 9), "There is a hole at its end");
  CHECK_SAYS(said(one(good), 7), "cut short");
  CHECK_SAYS(said("", 0), "byte 0: '{' is expected");
  CHECK_SAYS(said(" {}", 0), "byte 0: '{' is expected");
  CHECK_SAYS(said("{} x", 0), "byte 3: nothing but white space");
  CHECK_SAYS(said(R"({"a":1})", 0), "byte 5: '{' is expected");
  CHECK_SAYS(said(one(R"("dtype":"F32","shape":[2])"), 8), "needs dtype, shape and data_offsets");
  CHECK_SAYS(said(one(good + R"(,"dtype":"F32")"), 8), "'dtype' is given twice");
  CHECK_SAYS(said(one(good + R"(,"order":"C")"), 8), "'order' is none of");
  CHECK_SAYS(said(one(R"("dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2])"), 2),
             "'F8_E5M2' is not one of F64 F32");
  CHECK_SAYS(said(one(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"), 8),
             "byte 29: a whole number, not negative");
  CHECK_SAYS(said(one(R"("dtype":"F32","shape":[02],"data_offsets":[0,8])"), 8), "does not begin with 0");
  CHECK_SAYS(said(one(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])"), 8), "',' is expected");
  CHECK_SAYS(said(one(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8])"), 8),
             "larger than 2^63 - 1");
  CHECK_SAYS(said(one(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"), 0),
             "more than 2^63 - 1 bytes");
  CHECK_SAYS(said(one(R"("dtype":"F32","shape":[0,9223372036854775807],"data_offsets":[0,0])"), 0),
             "more than 2^63 - 1 bytes");
  CHECK_SAYS(said(one(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"), 8),
             "needs 12 bytes, but its data_offsets are [0, 8]");
  CHECK_SAYS(said(one(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"), 8), "data_offsets are [8, 0]");
  CHECK_SAYS(said("{\"\xC0\xAF\":1}", 0), "not UTF-8");
  CHECK_SAYS(said("{\"\xED\xA0\x80\":1}", 0), "not UTF-8");
  CHECK_SAYS(said("{\"a\nb\":1}", 0), "control character");
  CHECK_SAYS(said(R"({"\ud800":1})", 0), "surrogate");
  CHECK_SAYS(said(R"({"\ud83d)", 0), "the second half of a surrogate pair is expected");
  CHECK_SAYS(said(R"({"\x":1})", 0), "an escape is one of");
  std::string deep = R"("dtype":"U8","shape":[1)";
  for (int i = 0; i < 64; ++i) deep += ",1";
  CHECK_SAYS(said(one(deep + R"(],"data_offsets":[0,1])"), 1), "at most 64 dimensions");

  const auto pair = [](const std::string& first, const std::string& second, const char* name = "b") {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[)" + first + R"(]},")" + name +
           R"(":{"dtype":"U8","shape":[4],"data_offsets":[)" + second + "]}}";
  };
  CHECK(said(pair("4,8", "0,4"), 8).empty());
  CHECK_SAYS(said(pair("0,4", "3,7"), 7), "they overlap");
  CHECK_SAYS(said(pair("0,4", "0,4"), 4), "they overlap");
  CHECK_SAYS(said(pair("0,4", "5,9"), 9), "there is a hole");
  CHECK_SAYS(said(pair("1,5", "5,9"), 9), "there is a hole");
  CHECK_SAYS(said(pair("0,4", "4,8", "a"), 8), "two tensors 'a'");
  CHECK_SAYS(said(R"({"__metadata__":{"a":"1","a":"2"}})", 0), "'a' is given twice in __metadata__");
  CHECK_SAYS(said(R"({"__metadata__":{},"__metadata__":{}})", 0), "'__metadata__' is given twice");
  CHECK_SAYS(said(R"({"__metadata__":{"a":1}})", 0), "a string is expected");
}

TEST_CASE("UTF-8: as many bytes as a character has, none where it is none") {
  using cn::detail::utf8_length;
  CHECK(utf8_length("") == 0);
  CHECK(utf8_length("a\xC3") == 1);
  CHECK(utf8_length("\x7F") == 1);
  CHECK(utf8_length("\xC2\x80") == 2);
  CHECK(utf8_length("\xDF\xBF") == 2);
  CHECK(utf8_length("\xE0\xA0\x80") == 3);
  CHECK(utf8_length("\xE2\x82\xAC") == 3);
  CHECK(utf8_length("\xED\x9F\xBF") == 3);
  CHECK(utf8_length("\xEF\xBF\xBF") == 3);
  CHECK(utf8_length("\xF0\x90\x80\x80") == 4);
  CHECK(utf8_length("\xF4\x8F\xBF\xBF") == 4);
  for (const char* none :
       {"\x80", "\xBF", "\xC1\xBF", "\xC2", "\xC2\x7F", "\xC2\xC0", "\xDF\xC0", "\xE0\x9F\x80", "\xE2\x82",
        "\xE2\x82\x7F", "\xED\xA0\x80", "\xEF\xBF\xC0", "\xF0\x8F\xBF\xBF", "\xF0\x90\x80",
        "\xF1\x80\x7F\x80", "\xF1\x80\x80\x7F", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    CAPTURE(std::string(none).size());
    CHECK(utf8_length(none) == 0);
  }
}

TEST_CASE("the length is bounded by the limit and by the file") {
  const auto length = [](std::uint64_t value, std::uint64_t file_bytes) {
    std::array<unsigned char, 8> bytes{};
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(value >> (8 * i));
    return tests::message_of([&] { cn::safetensors_header_length(bytes, file_bytes); });
  };
  CHECK(length(2, 10).empty());
  CHECK_SAYS(length(3, 10), "to have 3 bytes, but the file has only 10");
  CHECK_SAYS(length(0, 7), "file has only 7");
  CHECK_SAYS(length((std::uint64_t{16} << 20) + 1, std::uint64_t{1} << 40), "more than the 16777216");
  CHECK_SAYS(length(~std::uint64_t{0}, ~std::uint64_t{0}), "more than the 16777216");
}

TEST_CASE("what is written is read again") {
  const std::vector<cn::stored_tensor> tensors{
      {"quote \" back \\ tab \t", cn::stored_type::f64, {2, 1}, 0, 16},
      {"\xC3\xA4", cn::stored_type::bf16, {}, 16, 18},
      {"", cn::stored_type::i8, {3, 0}, 18, 18}};
  const cn::text_pairs metadata{{"format", "pt"}, {"", "line\nbreak"}};
  const std::string beginning = cn::safetensors_beginning(tensors, metadata);
  CHECK(beginning.size() % 8 == 0);
  const auto header = read(beginning + std::string(18, 'x'));
  CHECK(header.tensors == tensors);
  CHECK(header.metadata == metadata);
  CHECK(header.data_begin == beginning.size());
  const auto refused = [](const std::vector<cn::stored_tensor>& all) {
    return tests::message_of([&] { cn::safetensors_beginning(all, {}); });
  };
  CHECK_SAYS(refused({{"\xFF", cn::stored_type::i8, {}, 0, 1}}), "not UTF-8");
  CHECK_SAYS(refused({{"a", cn::stored_type::i8, {}, 0, 1}, {"a", cn::stored_type::i8, {}, 1, 2}}),
             "two tensors 'a'");
  CHECK_SAYS(refused({{std::string(std::size_t{16} << 20, 'a'), cn::stored_type::i8, {}, 0, 1}}),
             "more than the 16777216 that are read. Save fewer tensors in a file.");
}

TEST_CASE("the largest header: read in a second, and refused when its end is not as it begins") {
  // As many tensors as fit, none with a byte, under names in falling order.
  std::string json = "{";
  const std::string rest = R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)";
  int tensors = 0;
  while (json.size() + rest.size() + 16 < cn::safetensors_limits::header_bytes)
    json += "\"" + std::to_string(999999 - tensors++) + rest;
  json.back() = '}';
  json.resize(cn::safetensors_limits::header_bytes, ' ');
  const auto seconds = [](auto&& body) {  // of this process, whatever else the machine does
    const std::clock_t start = std::clock();
    body();
    return double(std::clock() - start) / CLOCKS_PER_SEC;
  };
  const double read_in =
      seconds([&] { CHECK(cn::parse_safetensors_header(json, 0).tensors.size() == std::size_t(tensors)); });
  std::string twice = json;
  twice.replace(twice.rfind("\":{\"dtype") - 6, 6, "999999");
  const double refused_in = seconds([&] { CHECK_SAYS(said(twice, 0), "two tensors '999999'"); });
  std::string one_name = "{\"";
  one_name.append(cn::safetensors_limits::header_bytes - 3, '\x1f' + 1);
  const double name_in = seconds([&] { CHECK_SAYS(said(one_name + '}', 0), "ends inside of a string"); });
  MESSAGE(tensors << " tensors read in " << read_in << " s, refused in " << refused_in << " s, one name in "
                  << name_in << " s");
#ifdef __OPTIMIZE__
  CHECK_FAST(read_in < 1.0);
  CHECK_FAST(refused_in < 1.0);
  CHECK_FAST(name_in < 1.0);
#endif
}

TEST_CASE("100,000 mutated files: refused with words, or read as another parser reads them") {
  const std::string data(28, '\1');
  const std::vector<std::string> seeds{
      with_length(
          R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
          R"("n":{"dtype":"I16","shape":[2],"data_offsets":[24,28]}})",
          data),
      with_length(
          R"({"\u00e9\ud83d\ude00":{"shape":[],"data_offsets":[20,28],"dtype":"F64"} , "a" : {"dtype":"BF16",)"
          R"("data_offsets":[0,20],"shape":[10,1]},"e":{"dtype":"U8","shape":[0],"data_offsets":[20,20]}}   )",
          data),
      with_length(R"({"a":{"dtype":"BOOL","shape":[28],"data_offsets":[0,28]}})", data), with_length("{}")};
  const std::vector<std::string> pieces{"{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "\"",
                                        "\\",
                                        "\\u",
                                        "0",
                                        "1",
                                        "4",
                                        "-",
                                        "9",
                                        "e1",
                                        " ",
                                        "\n",
                                        "\x80",
                                        "\xED",
                                        "\xF4",
                                        "null",
                                        "\"a\":",
                                        "\"dtype\"",
                                        "F64",
                                        "I8",
                                        "[[",
                                        "24",
                                        "28",
                                        "18446744073709551616",
                                        "9223372036854775807",
                                        std::string(1, '\0'),
                                        "\"__metadata__\""};
  random_bits random{20};
  int accepted = 0;
  int refused = 0;
  int different = 0;
  double slowest = 0.0;
  for (int i = 0; i < 100000; ++i) {
    std::string file = seeds[random.below(seeds.size())];
    const std::size_t changes = 1 + random.below(3);
    for (std::size_t c = 0; c < changes && !file.empty(); ++c) {
      // Mostly in the header; its length is put right in half of the cases, so that the change is looked at.
      const std::size_t at =
          random.below(4) == 0 ? random.below(file.size()) : std::min(file.size() - 1, 8 + random.below(160));
      switch (random.below(6)) {
        case 0:
          file[at] = static_cast<char>(random() & 0xFF);
          break;
        case 1:
          file.erase(at, 1 + random.below(4));
          break;
        case 2:
          file.insert(at, pieces[random.below(pieces.size())]);
          break;
        case 3:
          file.insert(at, file.substr(random.below(file.size()), random.below(40)));
          break;
        case 4:
          file = file.substr(0, at);
          break;
        default: {
          const auto& piece = pieces[random.below(pieces.size())];
          file.replace(at, piece.size(), piece);
        }
      }
    }
    if (random.below(2) == 0 && file.size() >= 8) {
      const std::size_t last = file.rfind('}');
      if (last != std::string::npos && last >= 8) {
        for (std::size_t b = 0; b < 8; ++b) file[b] = static_cast<char>(((last - 7) >> (8 * b)) & 0xFF);
      }
    }
    const auto expected = second_reading(file);
    const auto started = std::chrono::steady_clock::now();
    std::optional<cn::safetensors_header> header;
    try {
      header = read(file);
    } catch (const cn::error&) {
      ++refused;
    }
    slowest =
        std::max(slowest, std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    if (header) ++accepted;
    const bool agree = header.has_value() == expected.has_value() &&
                       (!header || as_json(*header, expected->contains("__metadata__")) == *expected);
    if (!agree && ++different <= 3)
      MESSAGE("read differently: " << json(file.substr(std::min<std::size_t>(8, file.size())))
                                          .dump(-1, ' ', true, json::error_handler_t::replace));
  }
  CHECK(different == 0);
  CHECK(accepted > 1000);  // both outcomes were exercised
  CHECK(refused > 1000);
  CHECK_FAST(slowest < 1.0);
  MESSAGE("accepted " << accepted << ", refused " << refused << ", slowest " << slowest << " s");
}

}  // namespace safetensors_header_test
