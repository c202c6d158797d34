// .npz files of numpy (tests/golden/make_pictures.py) and our own.
#include "store/npz_file.hpp"

#include "support/source_folder.hpp"
#include "unit/store/temporary_folder.hpp"

#include <gtest/gtest.h>

namespace scoreact {
namespace {

using testing_store::bytes_of;
using testing_store::expect_error;
using testing_store::put_bytes;
using testing_store::TemporaryFolder;
using testing_support::source_path;

std::string numpy_file(const std::string& name) { return source_path("tests/data/npz/" + name + ".npz"); }

class NumpyArchive : public testing::TestWithParam<const char*> {};

TEST_P(NumpyArchive, HasItsNamesShapesAndNumbers) {
  const NpzFile file(numpy_file(GetParam()));
  EXPECT_EQ(file.names(), (std::vector<std::string>{"mu", "sigma"}));
  const NpyNumbers mu = file.numbers("mu"), sigma = file.numbers("sigma");
  EXPECT_EQ(mu.shape, (std::vector<std::int64_t>{5}));
  EXPECT_EQ(sigma.shape, (std::vector<std::int64_t>{5, 5}));
  EXPECT_NEAR(mu.values[3], 3.0 / 7, 1e-7);
  EXPECT_NEAR(sigma.values[5 * 1 + 4], (1 + 10.0 * 4) / 3, 1e-5); // row 1, column 4, not the other way round
}

INSTANTIATE_TEST_SUITE_P(Kinds, NumpyArchive, testing::Values("stored", "deflated", "fortran_float32"));

TEST(NpzFile, RefusesWhatItCannotRead) {
  expect_error(ExitCode::data, "expected float64 or float32",
               [] { NpzFile(numpy_file("integers")).numbers("mu"); });
  expect_error(ExitCode::data, "no array \"var\"", [] { NpzFile(numpy_file("stored")).numbers("var"); });
  expect_error(ExitCode::missing_input, "nothing.npz", [] { NpzFile("nothing.npz"); });
  expect_error(ExitCode::data, "expected a NumPy .npz file",
               [] { NpzFile(source_path("tests/data/pictures/rgb.png")); });
}

/// Cuts and single changed bytes: an error or the right numbers, never anything else.
TEST(NpzFile, NeverGivesWrongNumbersFromADamagedFile) {
  const TemporaryFolder folder;
  const auto copy = folder / "copy.npz";
  for (const char* name : {"stored", "deflated"}) {
    const std::string whole = bytes_of(numpy_file(name));
    const NpyNumbers right = NpzFile(numpy_file(name)).numbers("sigma");
    const auto check = [&](const std::string& bytes) {
      put_bytes(copy, bytes);
      try {
        const NpzFile file(copy);
        if (file.contains("sigma")) {
          EXPECT_EQ(file.numbers("sigma").values, right.values);
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::data) << error.what();
      }
    };
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
      check(changed);
      if (at % 7 == 0)
        check(whole.substr(0, at));
    }
  }
}

TEST(WriteNpz, IsReadBack) {
  const TemporaryFolder folder;
  const std::vector<double> mu = {0.1, -2e300, 3}, sigma = {1, 2, 3, 4, 5, 6};
  const std::vector<float> small = {1.5f};
  write_npz(folder / "x.npz", {{"mu", {DType::f64, {3}, mu.data()}},
                               {"sigma", {DType::f64, {2, 3}, sigma.data()}},
                               {"scalar", {DType::f32, {}, small.data()}}});
  const NpzFile file(folder / "x.npz");
  EXPECT_EQ(file.numbers("mu").values, mu);
  EXPECT_EQ(file.numbers("sigma").values, sigma);
  EXPECT_EQ(file.numbers("sigma").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.numbers("scalar").values, std::vector<double>{1.5});
  EXPECT_TRUE(file.numbers("scalar").shape.empty());
}

} // namespace
} // namespace scoreact
