/// Training images: plain or gzip, as csv, IDX images, IDX labels and CIFAR-10 records. Input: the file, read
/// as each of them; for csv images of 1 x 2 pixels, for IDX two images of 1 x 3.
#include "data/image_data.hpp"
#include "fuzz/result_or_error.hpp"
#include "fuzz/scratch_folder.hpp"

namespace {

using scoreact::DataOptions;
using namespace std::string_literals;

const std::string kImages = "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03\x00\xff\x33\x00\x00\xff"s;
const std::string kLabels = "\0\0\x08\x01\0\0\0\x02\x07\x02"s;

void read_and_check(DataOptions options, const char* format, const std::filesystem::path& path) {
  options.format = format;
  options.path = path.string();
  scoreact::fuzz::result_or_error([&] {
    const scoreact::ImageData data = scoreact::read_images(options);
    bool good = data.pixels.size() == static_cast<std::size_t>(data.count() * data.pixels_per_image());
    for (const float pixel : data.pixels)
      good = good && pixel >= -1 && pixel <= 1;
    for (const auto label : data.labels)
      good = good && label >= 0 && label < options.num_classes;
    scoreact::fuzz::require(good, "pixels lie in [-1, 1] and labels are classes");
  });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace scoreact;
  static const fuzz::ScratchFolder folder;
  const std::string_view bytes = fuzz::as_text(data, size);
  fuzz::put_bytes(folder / "a-images-idx3", bytes);
  fuzz::put_bytes(folder / "a-labels-idx1", kLabels);
  fuzz::put_bytes(folder / "b-images-idx3", kImages);
  fuzz::put_bytes(folder / "b-labels-idx1", bytes);
  DataOptions options;
  options.height = 1;
  options.width = 2;
  read_and_check(options, "csv", folder / "a-images-idx3");
  options.width = 3;
  options.max_value = 255;
  read_and_check(options, "idx", folder / "a-images-idx3");
  read_and_check(options, "idx", folder / "b-images-idx3");
  options.channels = 3;
  options.height = options.width = 32;
  read_and_check(options, "cifar10", folder / "a-images-idx3");
  return 0;
}
