/// Feeds one reader's LLVMFuzzerTestOneInput without libFuzzer: every file of the corpus, then a number of
/// mutations of them, the same ones each time. Runs them in a child process, and in another one after each
/// death, so that all findings are counted. Exit code 0: none. A death inside a library that --tolerate names
/// is counted apart: what we cannot mend may not hide what we can.
#include "fuzz/mutate.hpp"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// Deaths have to end in a signal, so that they can be told apart; large requests of a library get null, as on
// a machine with little memory, while `new` of ours ends in a report.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0:abort_on_error=1:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:"
         "allocator_may_return_null=1:max_allocation_size_mb=1024";
}
extern "C" const char* __ubsan_default_options();
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }

namespace {

namespace fs = std::filesystem;

constexpr itimerval kLimit{{0, 0}, {2, 0}}, kNoLimit{}; // seconds of processor time for one input
constexpr int kTolerated = 3, kFinding = 4;

std::string_view tolerated_library;

/// Whose code it was: the innermost frame that is not of the C and C++ libraries or of the sanitizers.
std::string_view culprit(void* const* frames, int count) {
  for (int i = 0; i < count; ++i) {
    Dl_info info;
    if (dladdr(frames[i], &info) == 0 || info.dli_fname == nullptr)
      continue;
    std::string_view name = info.dli_fname;
    name.remove_prefix(name.rfind('/') + 1);
    const auto is = [&name](const char* library) { return name.starts_with(library); };
    if (!is("libc.") && !is("libc-") && !is("libm.") && !is("libm-") && !is("libz.") && !is("libasan") &&
        !is("libubsan") && !is("libstdc++") && !is("libgcc") && !is("libpthread") && !is("linux-vdso"))
      return name;
  }
  return "";
}

void on_death(int signal, siginfo_t*, void*) {
  std::array<void*, 64> frames;
  // the frames above the signal's are this handler's own
  const int count = backtrace(frames.data(), static_cast<int>(frames.size()));
  const int own = std::min(count, 2);
  const std::string_view who = culprit(frames.data() + own, count - own);
  const bool tolerated = !tolerated_library.empty() && who.starts_with(tolerated_library);
  if (!tolerated) {
    std::fprintf(stderr, "%s in %.*s\n", signal == SIGPROF ? "took too long" : strsignal(signal),
                 static_cast<int>(who.size()), who.data());
    backtrace_symbols_fd(frames.data() + own, std::min(count - own, 24), STDERR_FILENO);
  }
  _exit(tolerated ? kTolerated : kFinding);
}

void watch_deaths() {
  static std::array<char, 1 << 16> stack; // a stack of its own: the other one may be what ran out
  const stack_t alternative{stack.data(), 0, stack.size()};
  sigaltstack(&alternative, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_death;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGPROF})
    sigaction(signal, &action, nullptr);
  void* frame = nullptr;
  backtrace(&frame, 1); // loads what it needs, now rather than in the handler
}

std::vector<std::string> read_corpus(const std::vector<std::string>& places) {
  std::vector<fs::path> files;
  for (const std::string& place : places) {
    if (!fs::is_directory(place)) {
      files.emplace_back(place);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(place)) {
      if (entry.is_regular_file())
        files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  for (const fs::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return corpus;
}

/// Runs inputs from `next` on in a child process. `next` is shared memory: it ends at `count`, or at the
/// input that killed the child. Returns the child's status.
template <class Input> int run_child(std::size_t* next, std::size_t count, const Input& input) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) {
    std::perror("fork");
    std::exit(70);
  }
  if (child == 0) {
    watch_deaths();
    for (; *next < count; ++*next) {
      const std::string text = input(*next);
      // a copy of exactly this size, so that a step beyond the end is noticed
      const std::vector<std::uint8_t> bytes(text.begin(), text.end());
      setitimer(ITIMER_PROF, &kLimit, nullptr);
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
      setitimer(ITIMER_PROF, &kNoLimit, nullptr);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

int usage() {
  std::fputs("usage: replay_READER [--mutations N] [--first N] [--tolerate LIBRARY] [--keep FOLDER] "
             "FILE_OR_FOLDER...\n",
             stderr);
  return 64;
}

} // namespace

int main(int argc, char** argv) {
  std::size_t mutations = 0, first = 0;
  fs::path keep;
  std::vector<std::string> places;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with("--")) {
      places.emplace_back(argument);
      continue;
    }
    if (i + 1 == argc)
      return usage();
    const std::string_view value = argv[++i];
    std::size_t* const number = argument == "--mutations" ? &mutations
                                : argument == "--first"   ? &first
                                                          : nullptr;
    if (number != nullptr) {
      if (std::from_chars(value.begin(), value.end(), *number).ptr != value.end())
        return usage();
    } else if (argument == "--tolerate") {
      tolerated_library = value;
    } else if (argument == "--keep") {
      keep = value;
    } else {
      return usage();
    }
  }
  const std::vector<std::string> corpus = read_corpus(places);
  if (corpus.empty()) {
    std::fputs("no corpus: expected at least one file\n", stderr);
    return 66;
  }
  std::string scratch = (fs::temp_directory_path() / "scoreact_replay_XXXXXX").string();
  if (mkdtemp(scratch.data()) == nullptr || setenv("TMPDIR", scratch.c_str(), 1) != 0) {
    std::perror(scratch.c_str());
    return 74;
  }

  const std::size_t count = corpus.size() + mutations;
  const auto input = [&](std::size_t n) {
    return n < corpus.size() ? corpus[n] : scoreact::fuzz::mutated(corpus, first + n - corpus.size());
  };
  auto* const next = static_cast<std::size_t*>(
      mmap(nullptr, sizeof(std::size_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::size_t findings = 0, elsewhere = 0;
  for (*next = 0; *next < count; ++*next) {
    const int status = run_child(next, count, input);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
      break;
    const bool tolerated = WIFEXITED(status) && WEXITSTATUS(status) == kTolerated;
    ++(tolerated ? elsewhere : findings);
    std::printf("%s: input %zu%s\n", tolerated ? "dies in the library" : "FINDING", *next,
                *next < corpus.size() ? " (a corpus file)" : "");
    if (!keep.empty()) {
      const std::string text = input(*next);
      const fs::path file = keep / ((tolerated ? "library-" : "finding-") + std::to_string(*next));
      std::ofstream(file, std::ios::binary) << text;
    }
  }
  std::error_code ignored;
  fs::remove_all(scratch, ignored);
  std::printf("%zu corpus files, %zu mutations: %zu findings", corpus.size(), mutations, findings);
  if (!tolerated_library.empty())
    std::printf(", %zu deaths inside %.*s", elsewhere, static_cast<int>(tolerated_library.size()),
                tolerated_library.data());
  std::printf("\n");
  return findings == 0 ? 0 : 1;
}
