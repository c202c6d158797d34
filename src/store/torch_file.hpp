#pragma once
/// State dicts that torch.save wrote (.bin, .pt, .pth), without Python and without running anything in them:
/// zip archives (torch 1.6 and later) and the earlier form of pickles in a row. What they may hold:
/// src/store/pickle.hpp. TorchScript archives are something else, torch::jit::load reads those.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "store/array.hpp"

namespace scoreact {

/// A view of numbers that do not need to lie one behind the other. Not owned.
struct StridedArray {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;   ///< [] for a scalar
  std::vector<std::int64_t> strides; ///< in elements, from 0 on
  const void* data = nullptr;        ///< of the first element; null only if there are no elements
};

class TorchFile {
 public:
  /// Reads everything but the numbers; tensors of one storage stay views of it. Throws Error{missing_input}
  /// if there is no such file, Error{data} if it is something else, is damaged, or asks for a name that a
  /// state dict does not need.
  explicit TorchFile(const std::filesystem::path& path);
  ~TorchFile();
  TorchFile(TorchFile&&) noexcept;
  TorchFile& operator=(TorchFile&&) noexcept;

  /// Whether a file begins as those of torch.save do. False if there is no such file.
  static bool recognises(const std::filesystem::path& path);

  /// Names of the tensors, in the order of the dict. A dict that holds the state dict under `state_dict`, or
  /// as its only dict of tensors, is read as that; what is no tensor in it (a step, a learning rate) is left
  /// out.
  const std::vector<std::string>& names() const;
  /// Valid as long as this object lives; aligned for its type. Throws Error{data} if there is no such tensor.
  const StridedArray& at(const std::string& name) const;
  const std::filesystem::path& path() const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

} // namespace scoreact
