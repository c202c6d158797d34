#include "store/hdf5_handle.hpp"

#include <algorithm>
#include <optional>

#include "error/error.hpp"

namespace scoreact {

namespace {

std::optional<std::string> why_closing_failed; // the first time

/// HDF5 puts time, file name, buffers and a line break into what it says of a failed call to the system: only
/// the call and its reason are wanted.
std::string shortened(const std::string& description) {
  const std::string mark = "error message = '";
  const std::size_t begin = description.find(mark);
  std::string text = description.substr(0, description.find(": time ="));
  if (begin != std::string::npos) {
    const std::size_t from = begin + mark.size();
    text += ": " + description.substr(from, description.find('\'', from) - from);
  }
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

} // namespace

bool hdf5_must_not_be_finalised() { return why_closing_failed.has_value(); }

void note_closing(herr_t status) {
  if (status < 0 && !why_closing_failed)
    why_closing_failed = hdf5_reason();
}

void silence_hdf5() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

std::string hdf5_reason() {
  std::string reason;
  const auto take = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    auto& text = *static_cast<std::string*>(out);
    if (text.empty() && error->desc != nullptr)
      text = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take, &reason);
  return shortened(reason);
}

template <class Result>
Result check_hdf5(Result result, const std::filesystem::path& file, const std::string& what) {
  SCOREACT_REQUIRE(result >= 0, ExitCode::io, "{}: cannot {}: {}", file.string(), what, hdf5_reason());
  return result;
}
template hid_t check_hdf5<hid_t>(hid_t, const std::filesystem::path&, const std::string&);
template herr_t check_hdf5<herr_t>(herr_t, const std::filesystem::path&, const std::string&);

void close_written(Hdf5File& file, const std::filesystem::path& path) {
  file.close();
  SCOREACT_REQUIRE(!why_closing_failed, ExitCode::io, "{}: cannot complete it: {}", path.string(),
                   *why_closing_failed);
}

} // namespace scoreact
