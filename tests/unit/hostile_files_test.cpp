// Files made to harm, without LibTorch: bombs, depths, links and pipes are refused in words, before anything is allocated or waited for.
#include <sys/resource.h>
#include <sys/stat.h>

#include <crispnas/data/cifar_records.hpp>
#include <crispnas/data/file.hpp>
#include <crispnas/data/idx_header.hpp>
#include <crispnas/io/configuration_text.hpp>
#include <crispnas/io/safetensors_header.hpp>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "files.hpp"
#include "support/gzip.hpp"
#include "support/jpeg.hpp"
#include "support/ledger.hpp"
#include "support/listed_file.hpp"
#include "support/nas_bench_table.hpp"
#include "support/table_scale.hpp"

namespace hostile_files_test {

namespace cn = crispnas;
using tests::message_of;
using tests::temporary_folder;

namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::vector<std::byte> bytes_of(const std::string& text) {
  std::vector<std::byte> bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

std::string be32(std::uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>((value >> shift) & 0xFFU);
  return text;
}

}  // namespace

TEST_CASE("JSON: depth and length are bounded, brackets in strings are none") {
  CHECK(support::json_depth("") == 0);
  CHECK(support::json_depth("[{}, [1]]") == 2);
  CHECK(support::json_depth(R"(["[[[", "\"[[["])") == 1);
  CHECK(support::json_depth(R"("\\" [[])") == 2);
  CHECK(support::json_depth("]]]]") == 0);
  CHECK(support::parse_bounded_json(nested(64), "it").is_array());
  CHECK_SAYS(message_of([] { support::parse_bounded_json(nested(65), "it"); }),
             "it: lists and objects lie more than 64 deep");
  CHECK_SAYS(message_of([] { support::parse_bounded_json(nested(300000), "it"); }), "more than 64 deep");
  CHECK_SAYS(message_of([] { support::parse_bounded_json(std::string((1 << 20) + 1, ' '), "it"); }),
             "it: 1048577 bytes of JSON are more than the 1048576");
  CHECK(support::parse_bounded_json("[", "it").is_discarded());
  CHECK(support::parse_bounded_json("\"\xff\"", "it").is_discarded());
}

TEST_CASE("ledger: a line of brackets, a line without end, a file that is none") {
  const temporary_folder folder;
  const auto opened = [&](const std::string& text) {
    const auto path = folder.write("ledger.jsonl", text);
    return message_of([&] { const support::ledger l(path, support::ledger_mode::read); });
  };
  const std::string deep = R"({"hash":"a","seed":1,"result":{},"x":)" + nested(300000) + R"(,"sum":"0"})";
  CHECK_SAYS(opened(deep + "\n"), "ledger.jsonl', line 1: the line: lists and objects lie more than 64 deep");
  CHECK(opened(deep).empty());  // without its line break it is torn, and only told
  CHECK_SAYS(opened(std::string((1 << 26) + 1, ' ') + "\n"), "line 1: the line: 67108865 bytes of JSON");
  const auto huge = folder.write("huge.jsonl", "");
  std::filesystem::resize_file(huge, (std::uintmax_t{1} << 28) + 1);  // sparse
  CHECK_SAYS(message_of([&] { const support::ledger l(huge, support::ledger_mode::read); }),
             "huge.jsonl' has 268435457 bytes, more than the 268435456");
  const auto pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_SAYS(message_of([&] { const support::ledger l(pipe, support::ledger_mode::read); }),
             "is no file that can be read");
  support::ledger writer(folder.path() / "new.jsonl", support::ledger_mode::append);
  CHECK_SAYS(message_of([&] {
               writer.append({{"hash", "a"}, {"seed", 1U}, {"result", {{"x", std::string(1 << 26, 'x')}}}});
             }),
             "bytes of JSON are more than");
  CHECK(std::filesystem::file_size(folder.path() / "new.jsonl") == 0);
}

TEST_CASE("scales: brackets, length, a pipe, names that a terminal would obey") {
  const temporary_folder folder;
  const auto said = [&](const std::string& text) {
    const auto path = folder.write("s.json", text).string();
    return message_of([&] { support::scale_of_table(support::scale_document(path), 2); });
  };
  CHECK_SAYS(said("{\"tables\":" + nested(300000) + "}"), "s.json': lists and objects lie more than 64 deep");
  CHECK_SAYS(said(std::string((1 << 20) + 1, ' ')), "has 1048577 bytes, more than the 1048576");
  CHECK_SAYS(said("{\"\\u001b[2J\": 1}"), "there is no \"\\x1b[2J\"");
  CHECK_SAYS(said("{\"tables\": {\"\\u001b\": 1}}"), "\"tables\" has \"\\x1b\"");
  CHECK_SAYS(said("{\"tables\": {\"2\": 7}}"), "it is to be a JSON object");
  const auto pipe = (folder.path() / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_SAYS(message_of([&] { support::scale_document(pipe); }), "nor a file that can be read");
  CHECK_SAYS(message_of([&] { support::scale_document("/dev/zero"); }), "nor a file that can be read");
}

TEST_CASE("NAS-Bench-201: a pipe is not waited for, a field is shown printably") {
  const temporary_folder folder;
  const auto pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_SAYS(message_of([&] { support::nas_bench_table table(pipe); }), "pipe' cannot be read");
  std::istringstream file(
      "CIFAR10TestAccuracy200Epochs,CIFAR100TestAccuracy200Epochs,ImageNetTestAccuracy200Epochs,"
      "ArchitectureString\n\x1b[2J,1,1,x\n");
  CHECK_SAYS(message_of([&] { support::nas_bench_table table(file, "t"); }),
             "t, line 2: '?[2J' is no accuracy");
}

TEST_CASE(
    "a file that was listed: no link, pipe or folder that has come into its place, and no more than is "
    "accepted") {
  const temporary_folder folder;
  const auto said = [&](const std::filesystem::path& path) {
    return message_of([&] { support::read_listed_file(path, 5); });
  };
  const auto file = folder.write("a.jpg", "bytes");
  CHECK(support::read_listed_file(file, 5) == bytes_of("bytes"));
  CHECK(support::read_listed_file(folder.write("empty.jpg", ""), 5).empty());
  CHECK_SAYS(said(folder.write("long.jpg", "bytes!")), "long.jpg' has 6 bytes, more than the 5");
  CHECK_SAYS(said(folder.path() / "none.jpg"), "none.jpg' cannot be opened (No such file or directory).");
  CHECK_SAYS(said(folder.path()), "is not a regular file");
  const auto pipe = folder.path() / "pipe.jpg";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_SAYS(said(pipe), "pipe.jpg' is not a regular file");
  const auto link = folder.path() / "link.jpg";
  std::filesystem::create_symlink(file, link);
  CHECK_SAYS(said(link), "link.jpg' is a symbolic link");
}

TEST_CASE("JPEG: a progressive file of 64 million pixels asks for memory that it does not get") {
  const auto bytes = cn::read_data_file(CRISPNAS_FUZZ_FILES "/corpus/jpeg/progressive-64-million", 1 << 20);
  CHECK(bytes.size() < 1000);
  support::jpeg_decoder decoder(bytes);
  CHECK(decoder.width() == 8000);
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  const auto said = message_of([&] { decoder.decode({0, 0, 8000, 8000}, 224); });
  CHECK_SAYS(said, "Backing store not supported");  // in libjpeg-turbo's words
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  CHECK(after.ru_maxrss - before.ru_maxrss < (300L << 10));  // KiB; without the bound 384 MiB
}

TEST_CASE("safetensors: __metadata__ has a bound of its own") {
  std::string json = "{\"__metadata__\":{";
  for (std::size_t i = 0; i <= cn::safetensors_limits::metadata; ++i)
    json += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"\"";
  json += "}}";
  CHECK_SAYS(message_of([&] { cn::parse_safetensors_header(json, 0); }),
             "__metadata__ has at most 65536 entries");
}

TEST_CASE("a configuration out of a file is shown printably") {
  const cn::text_pairs there{{"\x1b[2J", "\x07"}, {"seed", "1\n"}};
  const cn::text_pairs here{{"seed", "1"}};
  const std::vector<std::string> expected{"\\x1b[2J: \\x07 there, absent here", "seed: 1\\x0a there, 1 here"};
  CHECK(cn::differences(there, here) == expected);
}

TEST_CASE("CIFAR: a file that became shorter since it was measured ends within a record") {
  std::istringstream stream(std::string(3073, '\1') + std::string(3000, '\1'));
  std::vector<std::uint8_t> pixels(std::size_t{2} * 3072);
  std::vector<std::int64_t> labels(2);
  CHECK_SAYS(message_of([&] {
               cn::detail::read_cifar_records(stream, 2, {1, 0, 10}, "a", pixels.data(), labels.data());
             }),
             "a ended within record 1 of 2. Is something still writing it?");
  CHECK(labels[0] == 1);
}

TEST_CASE("IDX and CIFAR: what a header promises is held against what is there") {
  const auto huge = bytes_of(be32(0x803) + be32(0xffffffff) + be32(0xffff) + be32(0xffff) + "pixels");
  CHECK_SAYS(message_of([&] { cn::check_idx_images(huge, "a"); }),
             "a is truncated: its header promises 18446181123756261375 bytes of data and 6 follow");
  const auto wide = bytes_of(be32(0x803) + be32(1) + be32(0x10000) + be32(1));
  CHECK_SAYS(message_of([&] { cn::check_idx_images(wide, "a"); }), "promises 1 images of 65536 x 1");
  const auto long_rows = bytes_of(be32(0x803) + be32(1) + be32(1) + be32(0x10000));
  CHECK_SAYS(message_of([&] { cn::check_idx_images(long_rows, "a"); }), "promises 1 images of 1 x 65536");
  const auto no_columns = bytes_of(be32(0x803) + be32(1) + be32(1) + be32(0));
  CHECK_SAYS(message_of([&] { cn::check_idx_images(no_columns, "a"); }), "promises 1 images of 1 x 0");
  const auto no_gzip = bytes_of(std::string("\x1f\x8c") + std::string(14, '\0'));
  CHECK_SAYS(message_of([&] { cn::check_idx_images(no_gzip, "a"); }), "wrong magic number 529268736");
  const auto labels = bytes_of(be32(0x801) + be32(2) + "\x01\x0a");
  CHECK_SAYS(message_of([&] { cn::check_idx_labels(labels, "a", 10); }),
             "record 1: label 10 is outside 0..9");
  CHECK(cn::check_idx_labels(labels, "a", 11).size() == 2);
  const temporary_folder folder;
  const auto pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_SAYS(message_of([&] { cn::data_file_size(pipe, 10); }), "is not a regular file");
  CHECK_SAYS(message_of([] {
               cn::detail::cifar_record_count(3074, {1, 0, 10}, "a");
             }),
             "1 whole records of 3073 and 1 left over");
}

}  // namespace hostile_files_test
