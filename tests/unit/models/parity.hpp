#pragma once
/// What tests of networks against Python share: relative errors, and layouts from a published list of names
/// and shapes.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace scoreact::testing_parity {

inline double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  return ((found - expected).norm() / expected.norm()).item<double>();
}

/// name<TAB>AxBxC a line; empty = scalar; # begins a comment.
inline std::map<std::string, std::vector<std::int64_t>> read_manifest(const std::string& path) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') {
      continue;
    }
    const std::size_t tab = line.find('\t');
    std::vector<std::int64_t>& shape = shapes[line.substr(0, tab)];
    std::istringstream extents(line.substr(tab + 1));
    for (std::string extent; std::getline(extents, extent, 'x');) {
      shape.push_back(std::stoll(extent));
    }
  }
  return shapes;
}

/// Expects the network's parameters to be those of the manifest, each in its shape. Returns how many numbers
/// they hold.
inline long expect_same_layout(const torch::nn::Module& network, const std::string& manifest) {
  std::map<std::string, std::vector<std::int64_t>> found;
  long numbers = 0;
  for (const auto& item : network.named_parameters()) {
    found[item.key()] = item.value().sizes().vec();
    numbers += item.value().numel();
  }
  const auto expected = read_manifest(manifest);
  EXPECT_FALSE(expected.empty()) << manifest;
  EXPECT_EQ(found, expected);
  return numbers;
}

} // namespace scoreact::testing_parity
