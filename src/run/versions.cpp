#include "run/versions.hpp"

#include "deck/toml_document.hpp"
#include "kernels/runtime.hpp"

#include <CLI/Version.hpp>
#include <fmt/format.h>
#include <hdf5.h>
#include <jpeglib.h>
#include <mpi.h>
#include <nlohmann/json.hpp>
#include <png.h>
#include <torch/version.h>
#include <zlib.h>

namespace scoreact {

extern const char* const kVersion; // generated/scoreact_git.cpp
extern const char* const kGitHash;

namespace {

/// First line of what MPI says about itself, e.g. "Open MPI v4.1.4, package: ...". May be asked before
/// MPI_Init.
std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  if (MPI_Get_library_version(text, &length) != MPI_SUCCESS)
    return "unknown";
  const std::string whole(text, static_cast<std::size_t>(length));
  return whole.substr(0, whole.find_first_of(",\n"));
}

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

std::string jpeg_version() {
#ifdef LIBJPEG_TURBO_VERSION_NUMBER
  constexpr int number = LIBJPEG_TURBO_VERSION_NUMBER;
  return fmt::format("libjpeg-turbo {}.{}.{}", number / 1000000, number / 1000 % 1000, number % 1000);
#else
  return fmt::format("{}", JPEG_LIB_VERSION);
#endif
}

} // namespace

std::map<std::string, std::string> library_versions() {
  return {
      {"scoreact", kVersion},
      {"git", kGitHash},
      {"torch", TORCH_VERSION},
      {"Kokkos", kernels::kokkos_version()},
      {"HDF5", hdf5_version()},
      {"MPI", mpi_version()},
      {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
      {"toml++", deck::toml_library_version()},
      {"CLI11", CLI11_VERSION},
      {"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                    NLOHMANN_JSON_VERSION_PATCH)},
      {"libjpeg", jpeg_version()},
      {"libpng", PNG_LIBPNG_VER_STRING},
      {"zlib", zlibVersion()},
  };
}

std::map<std::string, std::string> version_attributes() {
  std::map<std::string, std::string> attributes{{"software", "scoreact"}};
  for (const auto& [library, version] : library_versions())
    attributes[library == "git" ? "git" : library == "scoreact" ? "version" : "version." + library] = version;
  return attributes;
}

} // namespace scoreact
