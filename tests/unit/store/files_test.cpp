#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>

#include <png.h>

#include "store/atomic_file.hpp"
#include "store/png.hpp"
#include "store/run_directory.hpp"
#include "unit/store/temporary_folder.hpp"

namespace scoreact {
namespace {

using testing_store::bytes_of;
using testing_store::expect_error;
using testing_store::TemporaryFolder;

TEST(AtomicFile, ReplacesTheOldContentWhole) {
  const TemporaryFolder folder;
  write_text_atomically(folder / "deck.toml", "a long first text");
  write_text_atomically(folder / "deck.toml", "short");
  EXPECT_EQ(bytes_of(folder / "deck.toml"), "short");
  EXPECT_FALSE(std::filesystem::exists(folder / "deck.toml.tmp"));
}

TEST(AtomicFile, KeepsTheOldContentWhenFillingFails) {
  const TemporaryFolder folder;
  write_text_atomically(folder / "f", "old");
  const auto fill = [](const ByteSink& sink) {
    sink(std::as_bytes(std::span("new", 3)));
    throw std::runtime_error("half way");
  };
  EXPECT_THROW(write_atomically(folder / "f", fill), std::runtime_error);
  EXPECT_EQ(bytes_of(folder / "f"), "old");
  EXPECT_FALSE(std::filesystem::exists(folder / "f.tmp"));
}

TEST(AtomicFile, NamesTheFileThatCannotBeWritten) {
  const TemporaryFolder folder;
  expect_error(ExitCode::io, "absent/f", [&] { write_text_atomically(folder / "absent/f", "x"); });
  std::filesystem::create_symlink("/dev/full", folder / "f.tmp");
  expect_error(ExitCode::io, "No space left", [&] { write_text_atomically(folder / "f", "x"); });
}

TEST(RunDirectory, NamesTheFilesOfAnEpoch) {
  const TemporaryFolder folder;
  const RunDirectory run = RunDirectory::create(folder / "runs/first");
  EXPECT_EQ(run.trajectory_file(12), folder / "runs/first/trajectories/epoch_000012.h5");
  EXPECT_EQ(run.image_file(0), folder / "runs/first/images/epoch_000000.png");
  EXPECT_TRUE(std::filesystem::is_directory(folder / "runs/first/images"));
  write_text_atomically(folder / "file", "");
  expect_error(ExitCode::io, "file", [&] { RunDirectory::create(folder / "file"); });
}

TEST(RunLock, KeepsASecondProcessOutAndNamesTheFirst) {
  const TemporaryFolder folder;
  const RunDirectory run(folder.path());
  std::optional<RunLock> lock(std::in_place, run);
  const std::string me = fmt::format("pid {} on ", ::getpid());
  expect_error(ExitCode::io, me, [&] { RunLock(run, std::chrono::seconds(0)); });
  RunLock moved(std::move(*lock));
  lock.reset();
  expect_error(ExitCode::io, me, [&] { RunLock(run, std::chrono::seconds(0)); });
}

TEST(RunLock, IsFreeAgainWhenItsHolderWasKilled) {
  const TemporaryFolder folder;
  const RunDirectory run(folder.path());
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const RunLock lock(run);
    if (::write(told[1], "+", 1) != 1)
      ::_exit(1);
    for (;;)
      ::pause();
  }
  char held;
  ASSERT_EQ(::read(told[0], &held, 1), 1);
  expect_error(ExitCode::io, fmt::format("pid {} on ", child),
               [&] { RunLock(run, std::chrono::seconds(0)); });
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ::waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(RunLock(run, std::chrono::seconds(0)));
  ::close(told[0]);
  ::close(told[1]);
}

TEST(RunLock, IsFreeOnlyWhenEveryRankHasGone) {
  const TemporaryFolder folder;
  const RunDirectory run(folder.path());
  std::optional<RunLock> first(std::in_place, run);
  expect_error(ExitCode::io, "rank 1 cannot take its part", [&] { RunLock::join(run, 1); });
  first->share();
  std::optional<RunLock> second(RunLock::join(run, 1)), third(RunLock::join(run, 2));
  expect_error(ExitCode::io, "rank 1 cannot take its part", [&] { RunLock::join(run, 1); });
  expect_error(ExitCode::io, "another process", [&] { RunLock(run, std::chrono::seconds(0)); });
  first.reset(); // rank 0 was killed, the others have not noticed yet
  expect_error(ExitCode::io, "another process", [&] { RunLock(run, std::chrono::seconds(0)); });
  second.reset();
  expect_error(ExitCode::io, "another process", [&] { RunLock(run, std::chrono::seconds(0)); });
  third.reset();
  EXPECT_NO_THROW(RunLock(run, std::chrono::seconds(0)));
}

TEST(PngGrid, ShowsEveryPixelEnlarged) {
  const TemporaryFolder folder;
  const std::array<std::uint8_t, 3 * 2 * 2> pixels{1, 2, 3, 4, 10, 20, 30, 40, 100, 110, 120, 130};
  write_png_grid(folder / "grid.png", pixels.data(), 3, 2, 2, 1, 2, 3);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  ASSERT_NE(png_image_begin_read_from_file(&image, (folder / "grid.png").c_str()), 0);
  image.format = PNG_FORMAT_GRAY;
  ASSERT_EQ(image.width, 13u); // two pictures of 2 x 3 pixels and a line
  ASSERT_EQ(image.height, 13u);
  std::vector<std::uint8_t> grid(PNG_IMAGE_SIZE(image));
  ASSERT_NE(png_image_finish_read(&image, nullptr, grid.data(), 0, nullptr), 0);
  for (int n = 0; n < 3; ++n) {
    for (int y = 0; y < 6; ++y) {
      for (int x = 0; x < 6; ++x) {
        EXPECT_EQ(grid[static_cast<std::size_t>((n / 2 * 7 + y) * 13 + n % 2 * 7 + x)],
                  pixels[static_cast<std::size_t>(n * 4 + y / 3 * 2 + x / 3)]);
      }
    }
  }
  EXPECT_EQ(grid[6], 0);
  EXPECT_EQ(grid[13 * 13 - 1], 0);
  expect_error(ExitCode::internal, "cannot draw",
               [&] { write_png_grid(folder / "x", pixels.data(), 3, 2, 2, 2, 2, 1); });
}

} // namespace
} // namespace scoreact
