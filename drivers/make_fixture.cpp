/// scoreact make-fixture NAME --out DIR: a model folder with random weights.
#include "command.hpp"

#include "fixtures/fixtures.hpp"

namespace scoreact {

ExitCode run_make_fixture(const Invocation& invocation) {
  FixtureOptions options;
  options.directory = invocation.out;
  options.seed = invocation.fixture.seed;
  options.dtype = invocation.fixture.half ? at::kHalf : at::kFloat;
  make_fixture(invocation.target, options);
  if (!invocation.quiet)
    fmt::print("{}: {}, random weights of seed {}\n", invocation.out, invocation.target, options.seed);
  return ExitCode::success;
}

} // namespace scoreact
