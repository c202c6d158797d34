/// Archives of NumPy arrays. Input: the file.
#include "fuzz/result_or_error.hpp"
#include "fuzz/scratch_folder.hpp"
#include "store/npz_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace scoreact;
  static const fuzz::ScratchFolder folder;
  static const auto path = folder / "input.npz";
  fuzz::put_bytes(path, fuzz::as_text(data, size));
  fuzz::result_or_error([&] {
    const NpzFile file(path);
    for (const std::string& name : file.names())
      fuzz::result_or_error([&] {
        const NpyNumbers numbers = file.numbers(name);
        std::int64_t count = 1;
        for (const std::int64_t extent : numbers.shape)
          count *= extent;
        fuzz::require(numbers.values.size() == static_cast<std::size_t>(count),
                      "an array has as many numbers as its shape says");
      });
  });
  return 0;
}
