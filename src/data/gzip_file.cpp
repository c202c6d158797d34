#include "data/gzip_file.hpp"

#include "error/error.hpp"

#include <zlib.h>

#include <filesystem>
#include <memory>
#include <vector>

namespace scoreact {

std::string read_file_or_gzip(const std::string& path) {
  SCOREACT_REQUIRE(std::filesystem::is_regular_file(path), ExitCode::missing_input, "{}: no such file", path);
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  SCOREACT_REQUIRE(file != nullptr, ExitCode::missing_input, "{}: cannot open this file", path);
  std::string content;
  std::vector<char> block(1 << 16);
  int got = 0;
  while ((got = gzread(file.get(), block.data(), static_cast<unsigned>(block.size()))) > 0) {
    content.append(block.data(), static_cast<std::size_t>(got));
  }
  int status = Z_OK;
  const char* message = gzerror(file.get(), &status);
  SCOREACT_REQUIRE(got == 0 && status == Z_OK, ExitCode::data, "{}: damaged gzip file: {}", path, message);
  return content;
}

} // namespace scoreact
