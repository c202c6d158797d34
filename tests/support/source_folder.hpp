#pragma once
/// The source tree, for the small files that tests read: SCOREACT_SOURCE_DIR, which ctest sets, else the
/// working directory.
#include <cstdlib>
#include <string>

namespace scoreact::testing_support {

inline std::string source_path(const std::string& relative) {
  const char* root = std::getenv("SCOREACT_SOURCE_DIR");
  return std::string(root ? root : ".") + "/" + relative;
}

} // namespace scoreact::testing_support
