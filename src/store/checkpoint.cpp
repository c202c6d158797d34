#include "store/checkpoint.hpp"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <system_error>

#include "error/error.hpp"
#include "store/atomic_file.hpp"
#include "store/hdf5_file.hpp"
#include "store/hdf5_values.hpp"
#include "store/json_text.hpp"
#include "store/run_directory.hpp"

namespace scoreact {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFormat = "scoreact-checkpoint";
constexpr int kFormatVersion = 1;
constexpr const char* kPolicy = "policy.safetensors";
constexpr const char* kValue = "value.safetensors";
constexpr const char* kOptimizer = "optimizer.h5";
constexpr const char* kState = "state.json";
constexpr const char* kDone = "DONE";

/// Size and CRC-32 of a file, as they stand in DONE.
json digest(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::vector<char> buffer(1 << 20);
  std::uint64_t bytes = 0;
  uLong sum = crc32(0L, nullptr, 0);
  while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), stream.gcount() > 0) {
    const auto count = static_cast<uInt>(stream.gcount());
    sum = crc32(sum, reinterpret_cast<const Bytef*>(buffer.data()), count);
    bytes += count;
  }
  SCOREACT_REQUIRE(stream.eof(), ExitCode::io, "{}: cannot read it", path.string());
  return {{"bytes", bytes}, {"crc32", fmt::format("{:08x}", sum)}};
}

std::string read_text(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

void write_optimizer(const fs::path& path, const std::vector<NamedArray>& arrays) {
  silence_hdf5();
  const Hdf5Properties access(check_hdf5(H5Pcreate(H5P_FILE_ACCESS), path, "make properties"));
  check_hdf5(H5Pset_file_locking(access.id(), false, true), path, "switch locking off");
  Hdf5File file(
      check_hdf5(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), path, "create it"));
  const Hdf5Values values(file.id(), path);
  values.write_attribute("format", std::string("scoreact-optimizer"));
  values.write_attribute("format_version", std::int64_t{1});
  for (const NamedArray& entry : arrays)
    values.write_dataset(entry.name, entry.array);
  close_written(file, path);
  sync_file(path);
}

/// The epoch of a folder named epoch_NNNNNN, else nothing.
std::optional<long> epoch_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  long epoch = 0;
  const std::string_view prefix = "epoch_";
  if (!name.starts_with(prefix))
    return std::nullopt;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, epoch);
  return error == std::errc() && stop == end && epoch >= 0 ? std::optional(epoch) : std::nullopt;
}

/// Removes a folder such that a crash in between leaves nothing that looks like a damaged checkpoint.
void remove_folder(const fs::path& folder) {
  fs::path doomed = folder;
  doomed += ".removed";
  std::error_code reason;
  fs::remove_all(doomed, reason);
  fs::rename(folder, doomed, reason);
  if (!reason)
    fs::remove_all(doomed, reason);
  SCOREACT_REQUIRE(!reason, ExitCode::io, "{}: cannot remove it: {}", folder.string(), reason.message());
}

/// What a killed process left behind.
void remove_debris(const fs::path& checkpoints) {
  for (const auto& entry : fs::directory_iterator(checkpoints)) {
    const fs::path extension = entry.path().extension();
    if (entry.is_directory() && (extension == ".tmp" || extension == ".removed" || extension == ".damaged"))
      fs::remove_all(entry.path());
  }
}

void point_latest(const fs::path& checkpoints, const std::string& name) {
  const fs::path temporary = checkpoints / "latest.tmp";
  std::error_code reason;
  fs::remove(temporary, reason);
  fs::create_directory_symlink(name, temporary, reason);
  SCOREACT_REQUIRE(!reason, ExitCode::io, "{}: cannot make the link: {}", temporary.string(),
                   reason.message());
  rename_durably(temporary, checkpoints / "latest");
}

void fill_folder(const fs::path& folder, long epoch, const CheckpointContent& content) {
  fs::create_directories(folder);
  std::vector<std::string> files{kPolicy, kOptimizer, kState};
  write_safetensors(folder / kPolicy, content.policy);
  if (!content.value.empty()) {
    files.emplace_back(kValue);
    write_safetensors(folder / kValue, content.value);
  }
  write_optimizer(folder / kOptimizer, content.optimizer);
  write_text_atomically(folder / kState, content.state.dump(1) + "\n");
  for (const fs::path& copied : content.copies) {
    files.push_back(copied.filename().string());
    write_text_atomically(folder / files.back(), read_text(copied));
  }
  json done{{"format", kFormat}, {"format_version", kFormatVersion}, {"epoch", epoch}};
  for (const std::string& name : files)
    done["files"][name] = digest(folder / name);
  write_text_atomically(folder / kDone, done.dump(1) + "\n");
}

/// DONE, checked against the files beside it. Throws Error{data} or {io} saying what is wrong.
json verified_done(const fs::path& folder) {
  const fs::path file = folder / kDone;
  SCOREACT_REQUIRE(fs::is_regular_file(file), ExitCode::data, "no file DONE: it was never completed");
  json done = parse_json(read_text(file), "DONE is damaged");
  const auto is = [&done](const char* key, const json& expected) {
    return done.is_object() && done.contains(key) && done[key] == expected;
  };
  SCOREACT_REQUIRE(is("format", kFormat) && done.contains("files") && done["files"].is_object() &&
                       done.contains("epoch") && done["epoch"].is_number_integer() &&
                       done["epoch"].get<std::int64_t>() >= 0 && done.contains("format_version"),
                   ExitCode::data, "DONE is damaged");
  SCOREACT_REQUIRE(is("format_version", kFormatVersion), ExitCode::data,
                   "DONE has format_version {}, expected {}", json_excerpt(done["format_version"]),
                   kFormatVersion);
  for (const char* needed : {kPolicy, kOptimizer, kState}) {
    SCOREACT_REQUIRE(done["files"].contains(needed), ExitCode::data, "DONE does not list {}", needed);
  }
  for (const auto& [name, expected] : done["files"].items()) {
    SCOREACT_REQUIRE(!name.empty() && fs::path(name).filename() == name, ExitCode::data,
                     "DONE lists '{}', which is no file of the checkpoint", name);
    SCOREACT_REQUIRE(fs::is_regular_file(folder / name), ExitCode::data, "{} is missing", name);
    const json found = digest(folder / name);
    SCOREACT_REQUIRE(found == expected, ExitCode::data, "{} is damaged: expected {}, found {}", name,
                     json_excerpt(expected), found.dump());
  }
  return done;
}

LoadedCheckpoint load(const fs::path& folder) {
  const json done = verified_done(folder);
  json state = parse_json(read_text(folder / kState), kState);
  return {folder, done["epoch"].get<long>(), std::move(state)};
}

template <class Read> auto with_optimizer(const fs::path& folder, const Read& read) {
  const fs::path path = folder / kOptimizer;
  const Hdf5File file = open_hdf5(path);
  return read(Hdf5Values(file.id(), path));
}

void require_dtype(const Hdf5Values& values, const std::string& name, DType expected) {
  const DType found = values.dtype(name);
  SCOREACT_REQUIRE(found == expected, ExitCode::data, "optimizer.h5: '{}' is {}, expected {}", name,
                   name_of(found), name_of(expected));
}

} // namespace

void write_checkpoint(const fs::path& checkpoints, long epoch, const CheckpointContent& content, long keep) {
  const std::string name = epoch_name(epoch);
  const fs::path target = checkpoints / name;
  fs::path temporary = target;
  temporary += ".tmp";
  try {
    fs::create_directories(checkpoints);
    remove_debris(checkpoints);
    fill_folder(temporary, epoch, content);
    sync_folder(temporary);
    if (fs::exists(target))
      remove_folder(target);
    rename_durably(temporary, target);
    point_latest(checkpoints, name);

    auto all = list_checkpoints(checkpoints);
    // what is newer than the one just written belongs to another future and does not count
    std::erase_if(all, [&](const auto& entry) { return entry.first >= epoch; });
    for (std::size_t n = 0; keep > 0 && n + static_cast<std::size_t>(keep) <= all.size(); ++n)
      remove_folder(all[n].second);
  } catch (const fs::filesystem_error& error) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    SCOREACT_FAIL(ExitCode::io, "{}: cannot write the checkpoint: {}", target.string(), error.what());
  } catch (...) {
    std::error_code ignored; // the first error is the one to report
    fs::remove_all(temporary, ignored);
    throw;
  }
}

std::vector<std::pair<long, fs::path>> list_checkpoints(const fs::path& checkpoints) {
  std::vector<std::pair<long, fs::path>> all;
  if (!fs::is_directory(checkpoints))
    return all;
  for (const auto& entry : fs::directory_iterator(checkpoints)) {
    const auto epoch = epoch_of(entry.path());
    if (epoch && entry.is_directory())
      all.emplace_back(*epoch, entry.path());
  }
  std::sort(all.begin(), all.end());
  return all;
}

void set_aside_newer(const fs::path& checkpoints, long epoch) {
  bool found = false;
  for (const auto& [number, folder] : list_checkpoints(checkpoints)) {
    if (number <= epoch)
      continue;
    fs::path aside = folder;
    aside += ".damaged";
    std::error_code ignored;
    fs::remove_all(aside, ignored);
    rename_durably(folder, aside);
    found = true;
  }
  if (found)
    point_latest(checkpoints, epoch_name(epoch));
}

std::string checkpoint_damage(const fs::path& folder) {
  try {
    load(folder);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

LoadedCheckpoint open_checkpoint(const fs::path& folder) {
  SCOREACT_REQUIRE(fs::is_directory(folder), ExitCode::missing_input, "{}: no such folder", folder.string());
  try {
    return load(folder);
  } catch (const Error& error) {
    SCOREACT_FAIL(error.code(), "{}: {}", folder.string(), error.what());
  }
}

std::optional<LoadedCheckpoint> latest_checkpoint(const fs::path& checkpoints,
                                                  const std::function<void(std::string)>& warn) {
  auto all = list_checkpoints(checkpoints);
  for (auto entry = all.rbegin(); entry != all.rend(); ++entry) {
    try {
      return load(entry->second);
    } catch (const Error& error) {
      if (warn)
        warn(fmt::format("{}: passed over: {}", entry->second.string(), error.what()));
    }
  }
  return std::nullopt;
}

SafetensorsFile LoadedCheckpoint::policy() const { return SafetensorsFile(folder_ / kPolicy); }

std::optional<SafetensorsFile> LoadedCheckpoint::value() const {
  if (!fs::exists(folder_ / kValue))
    return std::nullopt;
  return SafetensorsFile(folder_ / kValue);
}

bool LoadedCheckpoint::has_optimizer(const std::string& name) const {
  return with_optimizer(folder_, [&](const Hdf5Values& values) { return values.contains(name); });
}

std::vector<float> LoadedCheckpoint::optimizer_floats(const std::string& name) const {
  return with_optimizer(folder_, [&](const Hdf5Values& values) {
    require_dtype(values, name, DType::f32);
    return values.floats(name);
  });
}

std::vector<double> LoadedCheckpoint::optimizer_doubles(const std::string& name) const {
  return with_optimizer(folder_, [&](const Hdf5Values& values) {
    require_dtype(values, name, DType::f64);
    return values.doubles(name);
  });
}

std::vector<std::int64_t> LoadedCheckpoint::optimizer_integers(const std::string& name) const {
  return with_optimizer(folder_, [&](const Hdf5Values& values) { return values.integers(name); });
}

} // namespace scoreact
