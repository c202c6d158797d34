#pragma once
/// What a reader may do with any bytes: give a result, or throw an Error that blames the input. All else is a
/// finding: a crash, another exception, an Error that blames the program.
#include "error/error.hpp"

#include <cstdio>
#include <cstdlib>

namespace scoreact::fuzz {

/// Runs `work`; returns whether it gave a result. Aborts on an Error that is empty or `internal`; other
/// exceptions pass, and end the program.
template <class Work> bool result_or_error(const Work& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    if (error.code() == ExitCode::internal || *error.what() == '\0') {
      std::fprintf(stderr, "damaged input, blamed on the program: %s\n", error.what());
      std::abort();
    }
    return false;
  }
}

/// Aborts with a sentence unless `holds`: for what must be true of every input that a reader accepts.
inline void require(bool holds, const char* sentence) {
  if (!holds) {
    std::fprintf(stderr, "not true of an accepted input: %s\n", sentence);
    std::abort();
  }
}

} // namespace scoreact::fuzz
