#pragma once
/// Labelled images from files: csv (pixels and a label a line, gzip or not), IDX (MNIST's format, gzip or
/// not) and CIFAR-10's binary batches. Pixels become floats in [-1, 1]; nothing here knows torch.
#include "pretraining/pretrain_options.hpp"

#include <cstdint>
#include <vector>

namespace scoreact {

struct ImageData {
  long channels = 1, height = 0, width = 0, num_classes = 0;
  std::vector<float> pixels;        ///< [count, channels, height, width] in C order, 2 value / max_value - 1
  std::vector<std::int64_t> labels; ///< [count], 0 .. num_classes - 1
  long count() const { return static_cast<long>(labels.size()); }
  long pixels_per_image() const { return channels * height * width; }
};

/// Reads DataOptions::path. idx: the labels stand in the file whose name has "labels" for "images" and "idx1"
/// for "idx3". cifar10: one .bin file, or a folder of which all data_batch_*.bin are read. Throws
/// Error{missing_input}, or Error{data} naming file, line or record, what was expected and what was found.
ImageData read_images(const DataOptions&);

/// Rows for training and for testing: a pseudo-random choice that depends on the number of rows and on
/// test_fraction only, so that every network of a study holds out the same images. Both lists are increasing.
struct Split {
  std::vector<long> train, test;
};
Split split_rows(long count, double test_fraction);

/// Labels of which the share `noise` is replaced by another class, uniformly at random; row r's fate is a
/// function of (seed, r) alone.
std::vector<std::int64_t> noisy_labels(const std::vector<std::int64_t>& labels, double noise,
                                       long num_classes, std::uint64_t seed);

} // namespace scoreact
