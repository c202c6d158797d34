#pragma once
/// Versions of everything that a result depends on: for --version, the banner and the attributes of run.h5.
#include <map>
#include <string>

namespace scoreact {

/// Library name -> version ("torch" -> "2.11.0", "scoreact" -> "0.1.0", "git" -> the commit). Needs neither
/// MPI nor Kokkos to be started.
std::map<std::string, std::string> library_versions();

/// The same as attributes of a file: `software`, `version`, `git`, and `version.torch` and so on.
std::map<std::string, std::string> version_attributes();

} // namespace scoreact
