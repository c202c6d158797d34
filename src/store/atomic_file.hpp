#pragma once
/// Files that are complete or absent: written to `<name>.tmp` beside the target, fsync, rename, fsync of the
/// folder. After a crash at any moment the old content or the new one is there, never a mixture.
#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

namespace scoreact {

/// Takes the next bytes of a file that is being written. Throws Error{io}.
using ByteSink = std::function<void(std::span<const std::byte>)>;

/// Replaces the file at `path` by what `fill` hands to its sink. Throws Error{io} naming the file (no space,
/// no permission); the old file is then untouched and the temporary one removed, also when `fill` itself
/// throws.
void write_atomically(const std::filesystem::path& path, const std::function<void(const ByteSink&)>& fill);
void write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_text_atomically(const std::filesystem::path& path, std::string_view text);

/// Brings a file's data, or a folder's entries, to the disk. Throws Error{io}.
void sync_file(const std::filesystem::path& path);
void sync_folder(const std::filesystem::path& path);
/// Renames a file or folder and brings the change to the disk. Throws Error{io}.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

} // namespace scoreact
