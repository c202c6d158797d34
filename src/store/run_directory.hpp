#pragma once
/// Where the files of a run are, and the lock that keeps a second process from writing into the same run.
#include <chrono>
#include <filesystem>
#include <string>

namespace scoreact {

class RunDirectory {
 public:
  explicit RunDirectory(std::filesystem::path root) : root_(std::move(root)) {}
  /// Creates the folder (and parents). Throws Error{io}.
  static RunDirectory create(const std::filesystem::path& root);

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path deck() const { return root_ / "deck.toml"; }
  std::filesystem::path run_file() const { return root_ / "run.h5"; }
  std::filesystem::path checkpoints() const { return root_ / "checkpoints"; }
  std::filesystem::path policy() const { return root_ / "policy"; }
  std::filesystem::path images() const { return root_ / "images"; }
  std::filesystem::path trajectories() const { return root_ / "trajectories"; }
  std::filesystem::path lock_file() const { return root_ / ".lock"; }
  /// trajectories/epoch_000012.h5; creates the folder, as image_file does. Throws Error{io}.
  std::filesystem::path trajectory_file(long epoch) const;
  /// images/epoch_000012.png
  std::filesystem::path image_file(long epoch) const;

 private:
  std::filesystem::path root_;
};

/// "epoch_000012": the stem of everything that belongs to one epoch.
std::string epoch_name(long epoch);

/// Keeps other processes out of a run directory; released by the destructor, and by the system when the
/// process dies, however it dies. Every rank of a run holds a part: when rank 0 alone was killed, the others
/// may still be writing for a moment, and a successor has to wait for them too.
class RunLock {
 public:
  /// Takes all of it. Waits up to `patience` (a predecessor may be about to finish its last checkpoint), then
  /// throws Error{io} that names the holder's process and host.
  explicit RunLock(const RunDirectory& directory, std::chrono::seconds patience = std::chrono::seconds(10));
  /// Lets the other ranks of this run in, by `join`.
  void share();
  /// The part of rank `rank` > 0, after rank 0 called share(). Throws Error{io}.
  static RunLock join(const RunDirectory& directory, int rank);
  ~RunLock();
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;

 private:
  RunLock() = default;
  void open(const RunDirectory& directory);
  std::string file_;
  int descriptor_ = -1;
};

} // namespace scoreact
