#pragma once
/// Sets of pictures in the forms in which they lie on disk, one picture at a time as 8-bit RGB.
#include "data/picture_file.hpp"

#include <memory>
#include <string>

namespace scoreact {

class PictureSet {
 public:
  virtual ~PictureSet() = default;
  virtual long count() const = 0;
  /// Picture 0 <= index < count(). Throws Error{missing_input | data}.
  virtual Picture picture(long index) const = 0;
};

/// `where` is one of
///   a folder of PNG and JPEG files, taken in the order of their paths; if it has none of its own, those of
///     all folders below it;
///   a folder with samples.h5, as scoreact sample leaves it;
///   an HDF5 file: dataset `images` [n, C, H, W] or [n, H, W, C], or a trajectory file (its final states).
///     Floating-point numbers are pixels in [-1, 1] and are rounded to 8 bits, integers are 0 .. 255;
///   CIFAR-10's binary form: a .bin file, or a folder of which all data_batch_*.bin are taken.
/// Grey becomes RGB. Throws Error{missing_input | data}, naming what was found instead.
std::unique_ptr<PictureSet> open_pictures(const std::string& where);

} // namespace scoreact
