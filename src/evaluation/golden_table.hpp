#pragma once
/// Goldens: what the original programs draw, or what reward they give, with published weights. A table of
/// them is built in (src/evaluation/published_goldens.json), each with the test of the original project that
/// it was copied from; whoever has the weights runs `scoreact goldens` and sees whether scoreact agrees.
#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace scoreact {

/// One published number or picture and how it came about.
struct Golden { // NOLINT(bugprone-exception-escape): the move of a json value checks its invariant
  std::string weights, name, source;
  std::string kind; ///< stable_diffusion | pixel_unet | image_reward
  std::string prompt;
  bool numpy_noise = false; ///< initial noise of numpy's RandomState, else of torch's generator of the CPU
  std::uint32_t seed = 0;
  long steps = 0;
  double guidance = 1;
  /// Laid over the content of the model's scheduler file (diffusers' from_config), or with own_file = false
  /// all there is.
  nlohmann::json scheduler;
  bool own_file = true;
  std::string lora;                  ///< file or folder among the user's files; empty: none
  std::vector<std::string> pictures; ///< PNG or JPEG files among the user's files, for image_reward
  /// Pictures: the lower right 3 x 3 of the last channel, in [0, 1]. Rewards: one a picture.
  std::vector<double> expected;
  std::string expected_file;    ///< or: a .npy file among the user's files with the whole picture [H, W, 3]
  bool cosine_distance = false; ///< measure: 1 - cosine instead of the largest difference
  double tolerance = 0;         ///< of the source

  /// The files that it needs beside the model.
  std::vector<std::string> files() const;
};

struct GoldenTable {
  std::map<std::string, std::string> weights; ///< what --weights names, and where it is published
  std::vector<Golden> goldens;
};

/// The table that is built in, JSON.
std::string_view published_goldens();
/// Throws Error{data} that begins with `origin`, for unknown or missing keys and values of another type.
GoldenTable read_goldens(std::string_view text, const std::string& origin);

} // namespace scoreact
