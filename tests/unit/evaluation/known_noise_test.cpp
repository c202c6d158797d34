// Noise of other programs, number for number (tests/golden/make_noise_golden.py made the file).
#include "evaluation/known_noise.hpp"

#include "models/weights.hpp"
#include "store/safetensors.hpp"
#include "support/source_folder.hpp"

#include <ATen/Version.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace scoreact {
namespace {

class KnownNoise : public testing::Test {
 protected:
  const std::string file = testing_support::source_path("tests/data/known_noise.safetensors");
  const std::map<std::string, at::Tensor> golden = read_weights(file);
  /// torch computes with the instructions of the processor that it finds; the bits are those of the golden
  /// only where it finds the same.
  const bool same_instructions = SafetensorsFile(file).metadata().at("cpu") == at::get_cpu_capability();

  void expect_same(const at::Tensor& found, const std::string& name) const {
    const at::Tensor& expected = golden.at(name);
    ASSERT_EQ(found.sizes(), expected.sizes()) << name;
    EXPECT_TRUE(same_instructions ? torch::equal(found, expected)
                                  : torch::allclose(found, expected, 1e-5, 1e-6))
        << name << "\n"
        << found << expected;
  }
};

TEST_F(KnownNoise, IsThatOfTorchsGeneratorBelowAndAboveSixteenNumbers) {
  for (const std::uint64_t seed : {0ULL, 7ULL, (1ULL << 40U) + 1}) {
    const std::string name = "torch." + std::to_string(seed) + ".";
    for (const std::int64_t count : {1, 5, 15, 16, 17, 31, 100})
      expect_same(torch_noise(torch_generator(seed), {count}), name + std::to_string(count));
    const at::Generator generator = torch_generator(seed);
    torch_noise(generator, {4, 25});
    expect_same(torch_noise(generator, {20}), name + "next");
  }
}

TEST_F(KnownNoise, IsThatOfNumpysLegacyGenerator) {
  for (const std::uint32_t seed : {0U, 42U, 4294967295U})
    EXPECT_TRUE(
        torch::equal(numpy_noise(seed, {3, 7}).flatten(), golden.at("numpy." + std::to_string(seed) + ".21")))
        << seed;
  const at::Tensor first = numpy_noise(0, {1, 4, 64, 64}).flatten(); // published with diffusers' tests
  const std::vector<float> expected = {1.76405235F, 0.40015721F, 0.97873798F,
                                       2.2408932F,  1.86755799F, -0.97727788F};
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_FLOAT_EQ(first[static_cast<long>(i)].item<float>(), expected[i]) << i;
}

} // namespace
} // namespace scoreact
