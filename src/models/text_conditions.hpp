#pragma once
/// What the samples of a text-to-image model are conditioned on.
#include <string>
#include <vector>

namespace scoreact {

struct TextConditions {
  std::vector<std::string> prompts = {""}; ///< a sample's prompt counts these from 0
  std::string negative;                    ///< the null condition of guidance; "" as in the paper
};

} // namespace scoreact
