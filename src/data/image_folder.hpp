#pragma once
/// A folder of pictures with captions in the `imagefolder` convention of Hugging Face's datasets:
/// metadata.jsonl holds one JSON object a picture, with `file_name` (relative to the folder, subfolders
/// allowed) and `text`.
#include "pretraining/pretrain_options.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace scoreact {

struct CaptionedPictures {
  long channels = 3, height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  ///< [count, channels, height, width] in C order, 0 .. 255
  std::vector<std::string> captions; ///< [count], UTF-8, never empty
  /// [count]: what a picture shows, in one form for all pictures that show it: the optional key `name` of its
  /// line, else its caption.
  std::vector<std::string> names;
  std::vector<std::string>
      skipped; ///< what on_bad_item = skip left out, a sentence each, in the file's order
  long count() const { return static_cast<long>(captions.size()); }
  long pixels_per_picture() const { return channels * height * width; }
};

/// Reads DataOptions::path. Pictures of another size than data.height x data.width are scaled by Pillow's
/// bicubic filter until they cover it, and the centre is cut out (torchvision's Resize and CenterCrop).
/// A line that is no such object, and a picture that can't be read, are bad: with on_bad_item = "refuse" the
/// first one is thrown as Error{data} that begins with FILE:LINE, with "skip" they are left out. Throws
/// Error{missing_input} without metadata.jsonl, Error{data} if nothing is left or data.channels is not 3.
CaptionedPictures read_image_folder(const DataOptions&);

} // namespace scoreact
