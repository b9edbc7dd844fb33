// How is a file read that was listed before? Through one descriptor: what is measured is what is read, and a symbolic link that has come
// into its place meanwhile is refused, not followed.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <crispnas/error.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace support {

/// All bytes of the regular file at `path`, at most `limit`. Throws crispnas::error.
inline std::vector<std::byte> read_listed_file(const std::filesystem::path& path, std::uint64_t limit) {
  const auto fail = [&](const std::string& what) {
    throw crispnas::error("file '" + path.string() + "' " + what + ".");
  };
  struct open_file {
    int number;
    ~open_file() {
      if (number >= 0) ::close(number);
    }
  };
  // A pipe in the place of the file would otherwise be waited for.
  const open_file file{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (file.number < 0) {
    fail(errno == ELOOP ? "is a symbolic link, which may lead anywhere"
                        : std::string("cannot be opened (") + std::strerror(errno) + ")");
  }
  struct stat facts {};
  if (::fstat(file.number, &facts) != 0 || !S_ISREG(facts.st_mode)) fail("is not a regular file");
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  if (size > limit)
    fail("has " + std::to_string(size) + " bytes, more than the " + std::to_string(limit) +
         " that are accepted");
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  std::size_t got = 0;
  while (got < bytes.size()) {
    const auto part = ::read(file.number, bytes.data() + got, bytes.size() - got);
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0)
      fail("ended after " + std::to_string(got) + " of " + std::to_string(size) +
           " bytes. Is something still writing it?");
    got += static_cast<std::size_t>(part);
  }
  return bytes;
}

}  // namespace support
