#include "run/continued_run_file.hpp"

#include "error/error.hpp"
#include "store/atomic_file.hpp"

#include <cstring>
#include <fstream>
#include <sstream>

namespace scoreact {

namespace fs = std::filesystem;

namespace {

/// The file, or what is wrong with it.
struct Attempt {
  std::optional<RunFile> file;
  std::string problem;
};

Attempt attempt(const fs::path& path) {
  try {
    return {RunFile::open(path), ""};
  } catch (const Error& error) {
    return {std::nullopt, error.what()};
  } catch (const std::exception& error) { // sizes in a damaged file may be anything
    return {std::nullopt, fmt::format("{}: cannot be read: {}", path.string(), error.what())};
  }
}

bool same_rows(const std::vector<double>& a, const std::vector<double>& b, std::size_t rows) {
  return a.size() >= rows && b.size() >= rows &&
         std::memcmp(a.data(), b.data(), rows * sizeof(double)) == 0; // NaN is equal to itself
}

/// Everything that the copy holds, in the first `epochs` rows.
bool agrees(const RunFile& found, const RunFile& saved, long epochs) {
  const auto rows = static_cast<std::size_t>(epochs);
  if (found.attributes() != saved.attributes() || found.metrics().size() != saved.metrics().size())
    return false;
  for (std::size_t m = 0; m < saved.metrics().size(); ++m) {
    const MetricInfo &one = found.metrics()[m], &other = saved.metrics()[m];
    if (one.name != other.name || one.units != other.units || one.long_name != other.long_name ||
        !same_rows(found.column(one.name), saved.column(other.name), rows))
      return false;
  }
  for (const auto& [name, values] : saved.resources()) {
    const auto other = found.resources().find(name);
    if (other == found.resources().end() || !same_rows(other->second, values, rows))
      return false;
  }
  return true;
}

std::string bytes_of(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << stream.rdbuf();
  return bytes.str();
}

} // namespace

std::optional<RunFile> continue_run_file(const fs::path& path, const fs::path& saved, long epochs,
                                         const std::function<void(std::string)>& warn) {
  const bool exists = fs::exists(path);
  if (!exists && epochs == 0)
    return std::nullopt;
  Attempt found = attempt(path);
  const Attempt copy = fs::exists(saved) ? attempt(saved) : Attempt{};
  if (found.file && copy.file && !agrees(*found.file, *copy.file, epochs))
    found = {std::nullopt,
             fmt::format("{}: its first {} epochs or its attributes are not those of the checkpoint",
                         path.string(), epochs)};
  if (found.file) {
    found.file->truncate_to(epochs);
    return std::move(found.file);
  }
  SCOREACT_REQUIRE(epochs == 0 || copy.file, ExitCode::data,
                   "{}; the checkpoint of epoch {} has no copy of it to go on with", found.problem, epochs);
  std::string line = found.problem;
  if (exists) {
    fs::path aside = path;
    aside += ".damaged";
    rename_durably(path, aside);
    line += fmt::format("; kept as {}", aside.filename().string());
  }
  if (epochs == 0) {
    warn(line + "; the run begins with a new one");
    return std::nullopt;
  }
  warn(fmt::format("{}; epochs 1 to {} are taken from {}, later evaluations are not in it", line, epochs,
                   saved.string()));
  write_text_atomically(path, bytes_of(saved));
  RunFile restored = RunFile::open(path);
  restored.truncate_to(epochs);
  return restored;
}

} // namespace scoreact
