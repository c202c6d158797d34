/// metadata.jsonl of a folder of pictures, which holds one picture, a.png, and one in a folder, b/c.png. Read
/// twice: what one bad line refuses, the other way leaves out.
#include "data/image_folder.hpp"
#include "fuzz/result_or_error.hpp"
#include "fuzz/scratch_folder.hpp"
#include "store/png.hpp"

#include <algorithm>
#include <array>

namespace {

using namespace scoreact;

constexpr long kEdge = 4;

/// The folder with its pictures.
class Folder {
 public:
  Folder() {
    std::array<std::uint8_t, kEdge * kEdge * 3> pixels{};
    std::filesystem::create_directories(scratch_ / "b");
    for (const char* name : {"a.png", "b/c.png"})
      write_png_grid(scratch_ / name, pixels.data(), 1, kEdge, kEdge, 3, 1, 1);
  }
  std::filesystem::path operator/(const std::string& name) const { return scratch_ / name; }

 private:
  fuzz::ScratchFolder scratch_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  const std::string_view text = fuzz::as_text(data, size);
  fuzz::put_bytes(folder / "metadata.jsonl", text);
  DataOptions options;
  options.path = (folder / "").string();
  options.format = "imagefolder";
  options.height = options.width = kEdge;
  options.channels = 3;
  const auto read = [&](const char* on_bad_item) {
    options.on_bad_item = on_bad_item;
    return fuzz::result_or_error([&] {
      const CaptionedPictures found = read_image_folder(options);
      fuzz::require(found.count() > 0 && found.names.size() == found.captions.size(), "a name a picture");
      fuzz::require(found.pixels.size() ==
                        static_cast<std::size_t>(found.count() * found.pixels_per_picture()),
                    "all pixels of all pictures");
      fuzz::require(std::none_of(found.captions.begin(), found.captions.end(),
                                 [](const std::string& caption) { return caption.empty(); }),
                    "no caption is empty");
    });
  };
  const bool whole = read("refuse"), part = read("skip");
  fuzz::require(part || !whole, "what is good without exception is good with exceptions");
  return 0;
}
