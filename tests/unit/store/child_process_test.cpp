#include "store/child_process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include "error/error.hpp"

namespace scoreact {
namespace {

using testing::HasSubstr;

/// What comes of work that does not return.
Error error_of(const std::function<std::string()>& work) {
  try {
    in_child_process("some.h5", 1, work);
  } catch (const Error& error) {
    return error;
  }
  return {ExitCode::success, "no error"};
}

TEST(ChildProcess, ReturnsWhatItsWorkReturns) {
  const std::string long_text(1 << 20, 'x'); // more than a pipe holds
  EXPECT_EQ(in_child_process("some.h5", 10, [&] { return long_text; }), long_text);
  EXPECT_EQ(in_child_process("some.h5", 10, [] { return std::string(); }), "");
}

TEST(ChildProcess, LeavesThisOneAlone) {
  int touched = 0;
  in_child_process("some.h5", 10, [&] { return std::to_string(++touched); });
  EXPECT_EQ(touched, 0);
}

TEST(ChildProcess, HandsOnErrorsAsTheyAre) {
  const Error error = error_of([]() -> std::string { throw Error(ExitCode::missing_input, "gone: 7"); });
  EXPECT_EQ(error.code(), ExitCode::missing_input);
  EXPECT_STREQ(error.what(), "gone: 7");
}

TEST(ChildProcess, MakesAnythingElseOneErrorThatNamesTheFile) {
  const auto raise_signal = [](int signal) {
    return [signal]() -> std::string {
      std::raise(signal);
      return "";
    };
  };
  const std::vector<std::pair<std::function<std::string()>, const char*>> ends = {
      {raise_signal(SIGSEGV), "Segmentation fault"},
      {raise_signal(SIGABRT), "Aborted"},
      {[]() -> std::string { std::_Exit(3); }, "ends the process"},
      {[]() -> std::string { throw std::length_error("vector too long"); }, "vector too long"},
      {[]() -> std::string {
         const volatile bool for_ever = true;
         while (for_ever) {
         }
         return "";
       },
       "more than 1 s"},
  };
  for (const auto& [work, reason] : ends) {
    const Error error = error_of(work);
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), HasSubstr("some.h5: "));
    EXPECT_THAT(error.what(), HasSubstr(reason));
  }
}

} // namespace
} // namespace scoreact
