#pragma once
/// checkpoints/epoch_000020/{policy.safetensors, value.safetensors, optimizer.h5, state.json, DONE}: what a
/// run needs to go on with the same bits. Written by rank 0 into a folder `.tmp` that is renamed when
/// everything is on the disk; DONE holds the size and CRC-32 of every file, so that a damaged checkpoint is
/// recognised and an older one is taken.
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "store/array.hpp"
#include "store/safetensors.hpp"

namespace scoreact {

struct CheckpointContent { // NOLINT(bugprone-exception-escape): the implicit moves; json's do not throw
  std::vector<NamedArray> policy;
  std::vector<NamedArray> value;     ///< no file if empty
  std::vector<NamedArray> optimizer; ///< a "/" in a name makes an HDF5 group; f32, f64, i32, i64 or u8
  nlohmann::json state;              ///< counters, statistics, the deck
  std::vector<std::filesystem::path> copies; ///< files that are copied into it under their own names
};

/// Writes the checkpoint of `epoch`, points `latest` to it and removes all but the newest `keep` (0: keeps
/// all). An existing one of the same epoch is replaced. Throws Error{io}; older checkpoints are then intact.
void write_checkpoint(const std::filesystem::path& checkpoints, long epoch, const CheckpointContent& content,
                      long keep);

class LoadedCheckpoint {
 public:
  LoadedCheckpoint(std::filesystem::path folder, long epoch, nlohmann::json state)
      : folder_(std::move(folder)), epoch_(epoch), state_(std::move(state)) {}
  const std::filesystem::path& folder() const { return folder_; }
  long epoch() const { return epoch_; }
  const nlohmann::json& state() const { return state_; }
  SafetensorsFile policy() const;
  /// Nothing if the run had no value network.
  std::optional<SafetensorsFile> value() const;
  /// Arrays of optimizer.h5 by name, flat. Throw Error{data} if there is none or it has another type.
  bool has_optimizer(const std::string& name) const;
  std::vector<float> optimizer_floats(const std::string& name) const;
  std::vector<double> optimizer_doubles(const std::string& name) const;
  std::vector<std::int64_t> optimizer_integers(const std::string& name) const;

 private:
  std::filesystem::path folder_;
  long epoch_;
  nlohmann::json state_;
};

/// Takes the checkpoints after `epoch`, which a run passed over because they are damaged, out of the list:
/// they get the ending `.damaged` until the next one is written, and don't count among those to keep. Throws
/// Error{io}.
void set_aside_newer(const std::filesystem::path& checkpoints, long epoch);

/// What is wrong with a checkpoint folder, "" if it is complete and undamaged. Reads every byte.
std::string checkpoint_damage(const std::filesystem::path& folder);

/// Opens one checkpoint folder. Throws Error{missing_input}, Error{data} saying what is damaged.
LoadedCheckpoint open_checkpoint(const std::filesystem::path& folder);

/// All checkpoint folders of a run, by epoch, oldest first, damaged ones included.
std::vector<std::pair<long, std::filesystem::path>>
list_checkpoints(const std::filesystem::path& checkpoints);

/// The newest complete and undamaged checkpoint, nothing if there is none. `warn` gets one line for each
/// damaged one that is passed over.
std::optional<LoadedCheckpoint> latest_checkpoint(const std::filesystem::path& checkpoints,
                                                  const std::function<void(std::string)>& warn);

} // namespace scoreact
