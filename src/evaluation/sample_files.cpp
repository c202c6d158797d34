#include "evaluation/sample_files.hpp"

#include "evaluation/picture_grid.hpp"
#include "models/weights.hpp"
#include "store/atomic_file.hpp"
#include "store/hdf5_file.hpp"
#include "store/run_directory.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace scoreact {

void write_samples(const std::filesystem::path& folder, const SampleSet& samples, long classes,
                   const Attributes& attributes) {
  RunDirectory::create(folder);
  const at::Tensor images = samples.images.contiguous(), prompts = samples.prompt.contiguous();
  const std::filesystem::path path = folder / "samples.h5";
  write_atomically(
      path, build_hdf5_image(path, [&](hid_t file) {
        const Hdf5Values root(file, path);
        root.write_attribute("format", std::string("scoreact-samples"));
        root.write_attribute("format_version", std::int64_t{1});
        for (const auto& [name, value] : attributes)
          root.write_attribute(name, value);
        const Hdf5Dataset pixels =
            root.write_dataset("images", {DType::f32, images.sizes().vec(), images.data_ptr()});
        Hdf5Values(pixels.id(), path)
            .write_dimensions(images.dim() == 4
                                  ? std::vector<std::string>{"sample", "channel", "row", "column"}
                                  : std::vector<std::string>{"sample", "element"});
        const Hdf5Dataset labels =
            root.write_dataset("prompt", {DType::i64, prompts.sizes().vec(), prompts.data_ptr()});
        Hdf5Values(labels.id(), path).write_dimensions({"sample"});
        if (samples.texts.empty())
          return;
        std::vector<std::string> each;
        for (long i = 0; i < prompts.numel(); ++i)
          each.push_back(samples.texts[static_cast<std::size_t>(prompts.data_ptr<std::int64_t>()[i])]);
        const Hdf5Dataset texts = root.write_texts("prompt_text", each);
        Hdf5Values(texts.id(), path).write_dimensions({"sample"});
      }));
  write_weights((folder / "latents.safetensors").string(), {{"latents", samples.latents}});

  const long n = images.size(0), channels = images.dim() == 4 ? images.size(1) : 0;
  if (channels != 1 && channels != 3)
    return;
  constexpr long kMost = 400;
  const long square = static_cast<long>(std::ceil(std::sqrt(static_cast<double>(std::min(n, kMost)))));
  const long columns = std::min(n, classes > 1 && classes <= kMost ? classes : square);
  write_pictures(folder / "grid.png",
                 images.narrow(0, 0, std::min(n, std::max(1L, kMost / columns) * columns)), columns);
}

} // namespace scoreact
