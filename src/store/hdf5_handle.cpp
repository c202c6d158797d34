#include "store/hdf5_handle.hpp"

#include "error/error.hpp"

namespace scoreact {

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
  return reason;
}

template <class Result>
Result check_hdf5(Result result, const std::filesystem::path& file, const std::string& what) {
  SCOREACT_REQUIRE(result >= 0, ExitCode::io, "{}: cannot {}: {}", file.string(), what, hdf5_reason());
  return result;
}
template hid_t check_hdf5<hid_t>(hid_t, const std::filesystem::path&, const std::string&);
template herr_t check_hdf5<herr_t>(herr_t, const std::filesystem::path&, const std::string&);

} // namespace scoreact
