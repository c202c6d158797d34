/// Weight files. Input: the file.
#include "fuzz/result_or_error.hpp"
#include "fuzz/scratch_folder.hpp"
#include "store/safetensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace scoreact;
  static const fuzz::ScratchFolder folder;
  static const auto path = folder / "input.safetensors";
  fuzz::put_bytes(path, fuzz::as_text(data, size));
  fuzz::result_or_error([&] {
    const SafetensorsFile file(path);
    std::size_t total = 0;
    volatile unsigned sum = 0;
    for (const std::string& name : file.names()) {
      const ArrayView array = file.at(name);
      const auto* const bytes = static_cast<const unsigned char*>(array.data);
      for (std::size_t n = 0; n < array.bytes(); ++n)
        sum = sum + bytes[n];
      fuzz::require(reinterpret_cast<std::uintptr_t>(bytes) % size_of(array.dtype) == 0,
                    "a tensor is aligned for its type");
      total += array.bytes();
    }
    fuzz::require(total <= size, "the tensors fit into the file");
  });
  return 0;
}
