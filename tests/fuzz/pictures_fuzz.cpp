/// Pictures, PNG and JPEG. Input: the file.
#include "data/picture_file.hpp"
#include "fuzz/result_or_error.hpp"
#include "fuzz/scratch_folder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace scoreact;
  static const fuzz::ScratchFolder folder;
  static const auto path = folder / "input.png";
  fuzz::put_bytes(path, fuzz::as_text(data, size));
  fuzz::result_or_error([&] {
    const Picture picture = read_picture(path);
    fuzz::require(picture.height > 0 && picture.width > 0 &&
                      picture.pixels.size() == static_cast<std::size_t>(3 * picture.height * picture.width),
                  "a picture has three bytes a pixel");
  });
  return 0;
}
