/// State dicts of torch.save, in a zip archive or as pickles in a row. Input: the file.
#include "fuzz/result_or_error.hpp"
#include "fuzz/scratch_folder.hpp"
#include "store/torch_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace scoreact;
  static const fuzz::ScratchFolder folder;
  static const auto path = folder / "input.pth";
  fuzz::put_bytes(path, fuzz::as_text(data, size));
  fuzz::result_or_error([&] {
    const TorchFile file(path);
    volatile unsigned sum = 0;
    for (const std::string& name : file.names()) {
      const StridedArray& array = file.at(name);
      std::int64_t last = 0;
      for (std::size_t d = 0; d < array.shape.size(); ++d)
        last += (array.shape[d] - 1) * array.strides[d];
      if (array.data == nullptr)
        continue;
      // the first and the last element that the tensor reaches
      const auto* const first = static_cast<const unsigned char*>(array.data);
      sum = sum + first[0] + first[(static_cast<std::size_t>(last) + 1) * size_of(array.dtype) - 1];
      fuzz::require(reinterpret_cast<std::uintptr_t>(first) % size_of(array.dtype) == 0,
                    "a tensor is aligned for its type");
    }
  });
  return 0;
}
