// What is in a checkpoint, and who wrote it? A JSON object beside the files, written last: length and SHA-256 of
// each file, the configuration, versions, and a digest of the object itself. Reading is strict: what this would
// not have written, byte for byte, is refused. Free of LibTorch.
#pragma once

#include <crispnas/error.hpp>
#include <crispnas/io/configuration_text.hpp>
#include <crispnas/io/json_cursor.hpp>
#include <crispnas/io/safetensors_header.hpp>
#include <crispnas/io/sha256.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace crispnas {

/// The version of the library, as a manifest says it.
inline constexpr std::string_view library_version = "0.1.0";

struct checkpoint_manifest {
  static constexpr std::uint64_t schema = 1;

  struct file {
    std::string name;
    std::uint64_t bytes = 0;
    std::string sha256;
    bool operator==(const file&) const = default;
  };
  /// A file of the run that grows with it: as long as this when the checkpoint was made.
  struct output {
    std::string name;
    std::uint64_t bytes = 0;
    bool operator==(const output&) const = default;
  };

  std::uint64_t generation = 0;
  std::string position;  ///< "epoch 3, step 17": for people
  std::string library{library_version};
  std::string libtorch;
  std::string device;
  std::uint64_t threads = 0;
  text_pairs configuration;
  std::vector<file> files;
  std::vector<output> outputs;
  bool operator==(const checkpoint_manifest&) const = default;
};

struct manifest_limits {
  static constexpr std::size_t bytes = std::size_t{1} << 20;
  static constexpr std::size_t settings = 10000;
  static constexpr std::size_t files = 64;
  static constexpr std::size_t name = 255;
};

/// Whether `name` is that of a file in a folder: nothing that leads out of it, nothing hidden.
inline bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= manifest_limits::name && name.front() != '.' &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

namespace detail {

constexpr std::string_view manifest_digest_key = ",\n\"sha256\": ";

/// Everything before the digest.
inline std::string manifest_body(const checkpoint_manifest& m) {
  std::string settings;
  for (const auto& [key, value] : m.configuration) {
    settings += (settings.empty() ? "\n  " : ",\n  ") + json_quoted(key) + ": " + json_quoted(value);
  }
  std::string files;
  for (const auto& f : m.files) {
    files += (files.empty() ? "\n  " : ",\n  ") + ("{\"name\": " + json_quoted(f.name)) +
             ", \"bytes\": " + std::to_string(f.bytes) + ", \"sha256\": " + json_quoted(f.sha256) + "}";
  }
  std::string outputs;
  for (const auto& f : m.outputs) {
    outputs += (outputs.empty() ? "\n  " : ",\n  ") + ("{\"name\": " + json_quoted(f.name)) +
               ", \"bytes\": " + std::to_string(f.bytes) + "}";
  }
  return "{\"schema\": " + std::to_string(checkpoint_manifest::schema) +
         ",\n\"generation\": " + std::to_string(m.generation) +
         ",\n\"position\": " + json_quoted(m.position) + ",\n\"crispnas\": " + json_quoted(m.library) +
         ",\n\"libtorch\": " + json_quoted(m.libtorch) + ",\n\"device\": " + json_quoted(m.device) +
         ",\n\"threads\": " + std::to_string(m.threads) +
         ",\n\"configuration_sha256\": " + json_quoted(configuration_digest(m.configuration)) +
         ",\n\"configuration\": {" + settings + "},\n\"files\": [" + files + "],\n\"outputs\": [" + outputs +
         "]";
}

class manifest_reader {
 public:
  explicit manifest_reader(std::string_view text) : cursor_(text, "manifest") {}

  checkpoint_manifest read() {
    checkpoint_manifest m;
    cursor_.expect('{');
    key("schema", true);
    const auto schema = cursor_.integer();
    if (schema != checkpoint_manifest::schema) {
      throw error("manifest: its schema is " + std::to_string(schema) + "; this version of crispnas reads " +
                  std::to_string(checkpoint_manifest::schema) + ".");
    }
    m.generation = number("generation");
    m.position = text("position");
    m.library = text("crispnas");
    m.libtorch = text("libtorch");
    m.device = text("device");
    m.threads = number("threads");
    text("configuration_sha256");  // compared with the rest
    key("configuration");
    cursor_.expect('{');
    for (bool first = true; cursor_.next('}', first); first = false) {
      bounded(m.configuration.size(), manifest_limits::settings, "settings");
      std::string name = cursor_.string();
      cursor_.expect(':');
      m.configuration.emplace_back(std::move(name), cursor_.string());
    }
    each("files", m.files, [&](checkpoint_manifest::file& f) {
      f.bytes = number("bytes");
      f.sha256 = text("sha256");
    });
    each("outputs", m.outputs, [&](checkpoint_manifest::output& f) { f.bytes = number("bytes"); });
    text("sha256");
    cursor_.expect('}');
    cursor_.end();
    return m;
  }

 private:
  void key(std::string_view name, bool first = false) {
    if (!first) cursor_.expect(',');
    if (cursor_.string() != name) cursor_.fail("'" + std::string(name) + "' is expected before this.");
    cursor_.expect(':');
  }
  std::uint64_t number(std::string_view name) {
    key(name);
    return cursor_.integer();
  }
  std::string text(std::string_view name) {
    key(name);
    return cursor_.string();
  }
  void bounded(std::size_t count, std::size_t limit, const char* what) {
    if (count == limit) cursor_.fail("there are more than " + std::to_string(limit) + " " + what + ".");
  }
  template <class Entry, class Rest>
  void each(std::string_view name, std::vector<Entry>& entries, Rest&& rest) {
    key(name);
    cursor_.expect('[');
    for (bool first = true; cursor_.next(']', first); first = false) {
      bounded(entries.size(), manifest_limits::files, "files");
      Entry entry;
      cursor_.expect('{');
      key("name", true);
      entry.name = cursor_.string();
      if (!is_plain_name(entry.name))
        cursor_.fail(json_quoted(entry.name) + " is no name of a file in the folder.");
      rest(entry);
      cursor_.expect('}');
      entries.push_back(std::move(entry));
    }
  }

  json_cursor cursor_;
};

}  // namespace detail

/// Throws crispnas::error where it could not be read again.
inline std::string manifest_text(const checkpoint_manifest& m);

/// The manifest that `text` is. Throws crispnas::error for anything that manifest_text does not write.
inline checkpoint_manifest parse_manifest(std::string_view text) {
  if (text.size() > manifest_limits::bytes) {
    throw error("manifest: " + std::to_string(text.size()) + " bytes are more than the " +
                std::to_string(manifest_limits::bytes) + " that are accepted.");
  }
  checkpoint_manifest m = detail::manifest_reader(text).read();
  const std::string body = detail::manifest_body(m);
  if (text != body + std::string(detail::manifest_digest_key) + "\"" + sha256::of(body) + "\"}\n") {
    throw error("manifest: its digest does not fit its text. It is damaged, or was edited.");
  }
  return m;
}

inline std::string manifest_text(const checkpoint_manifest& m) {
  const std::string body = detail::manifest_body(m);
  std::string text = body + std::string(detail::manifest_digest_key) + "\"" + sha256::of(body) + "\"}\n";
  parse_manifest(text);
  return text;
}

}  // namespace crispnas
