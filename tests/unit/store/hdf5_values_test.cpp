#include "store/hdf5_values.hpp"

#include <gtest/gtest.h>

#include "store/hdf5_file.hpp"
#include "unit/store/temporary_folder.hpp"

namespace scoreact {
namespace {

using testing_store::expect_error;
using testing_store::TemporaryFolder;

/// A dataset of doubles in chunks of which none was ever written.
void make_promise(const std::filesystem::path& path, hsize_t elements) {
  const Hdf5File file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  const Hdf5Space space(H5Screate_simple(1, &elements, nullptr));
  const Hdf5Properties creation(H5Pcreate(H5P_DATASET_CREATE));
  const hsize_t chunk = 1024;
  ASSERT_GE(H5Pset_chunk(creation.id(), 1, &chunk), 0);
  const Hdf5Dataset dataset(H5Dcreate2(file.id(), "promise", H5T_NATIVE_DOUBLE, space.id(), H5P_DEFAULT,
                                       creation.id(), H5P_DEFAULT));
  ASSERT_GE(dataset.id(), 0);
}

TEST(Hdf5Values, DoNotAskForMemoryThatTheFileCannotFill) {
  const TemporaryFolder folder;
  make_promise(folder / "promise.h5", hsize_t{1} << 50);
  const Hdf5File file = open_hdf5(folder / "promise.h5");
  const Hdf5Values values(file.id(), "promise.h5");
  const std::string expected = "'promise': 1125899906842624 elements of 8 bytes cannot lie in its 0 bytes";
  expect_error(ExitCode::data, expected, [&] { values.doubles("promise"); });
  expect_error(ExitCode::data, expected, [&] { values.shape("promise"); });
}

TEST(Hdf5Values, AreReadBackWhetherPackedOrNot) {
  const TemporaryFolder folder;
  const std::vector<double> zeros(100'000);
  {
    const Hdf5File file(H5Fcreate((folder / "f.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    Hdf5Values(file.id(), "f.h5").write_dataset("plain", {DType::f64, {100, 1000}, zeros.data()});
    const hsize_t extent = zeros.size();
    const Hdf5Space space(H5Screate_simple(1, &extent, nullptr));
    const Hdf5Properties creation(H5Pcreate(H5P_DATASET_CREATE));
    ASSERT_GE(H5Pset_chunk(creation.id(), 1, &extent), 0);
    ASSERT_GE(H5Pset_deflate(creation.id(), 9), 0);
    const Hdf5Dataset dataset(H5Dcreate2(file.id(), "packed", H5T_NATIVE_DOUBLE, space.id(), H5P_DEFAULT,
                                         creation.id(), H5P_DEFAULT));
    ASSERT_GE(H5Dwrite(dataset.id(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros.data()), 0);
    EXPECT_LT(H5Dget_storage_size(dataset.id()), zeros.size() * sizeof(double) / 500); // near deflate's limit
  }
  const Hdf5File file = open_hdf5(folder / "f.h5");
  const Hdf5Values values(file.id(), "f.h5");
  EXPECT_EQ(values.doubles("plain"), zeros);
  EXPECT_EQ(values.doubles("packed"), zeros);
  EXPECT_EQ(values.shape("plain"), (std::vector<std::int64_t>{100, 1000}));
}

} // namespace
} // namespace scoreact
