#pragma once
/// run.h5 of a run that goes on. The checkpoint holds a copy of it under its digest, so that a run.h5 that
/// was lost or damaged in between costs nothing but later evaluations.
#include "store/run_file.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace scoreact {

/// Opens run.h5 at `path` with the first `epochs` rows, those of the checkpoint whose copy of it is at
/// `saved` (need not exist). A run.h5 that is missing, unreadable or not bit-equal to the copy in those rows
/// is replaced by the copy; the damaged one stays beside it as run.h5.damaged, and `warn` gets one line.
/// Nothing if a new file has to be made (epochs = 0 and none that can be read). Throws Error{data} when there
/// is no copy to fall back on, Error{io}.
std::optional<RunFile> continue_run_file(const std::filesystem::path& path,
                                         const std::filesystem::path& saved, long epochs,
                                         const std::function<void(std::string)>& warn);

} // namespace scoreact
