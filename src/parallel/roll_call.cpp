#include "parallel/roll_call.hpp"

#include "error/error.hpp"

#include <algorithm>
#include <array>

namespace scoreact {

namespace {
constexpr int kCallTag = 1, kAnswerTag = 2;
constexpr int kPollsBetweenLooks = 128; ///< at the clock and for calls of others
constexpr double kShortestGrace = 1, kLongestGrace = 10;

std::vector<std::string> names_of_nodes(MPI_Comm comm, int size) {
  std::array<char, MPI_MAX_PROCESSOR_NAME> mine{};
  int length = 0;
  SCOREACT_CHECK_MPI(MPI_Get_processor_name(mine.data(), &length));
  std::vector<char> all(mine.size() * static_cast<std::size_t>(size));
  SCOREACT_CHECK_MPI(MPI_Allgather(mine.data(), static_cast<int>(mine.size()), MPI_CHAR, all.data(),
                                   static_cast<int>(mine.size()), MPI_CHAR, comm));
  std::vector<std::string> names;
  for (std::size_t r = 0; r < static_cast<std::size_t>(size); ++r)
    names.emplace_back(&all[r * mine.size()]);
  return names;
}
} // namespace

RollCall::RollCall(MPI_Comm parent, double patience)
    : patience_(patience), grace_(std::clamp(patience / 4, kShortestGrace, kLongestGrace)) {
  SCOREACT_CHECK_MPI(MPI_Comm_dup(parent, &comm_));
  SCOREACT_CHECK_MPI(MPI_Comm_rank(comm_, &rank_));
  SCOREACT_CHECK_MPI(MPI_Comm_size(comm_, &size_));
  if (size_ > 1)
    nodes_ = names_of_nodes(comm_, size_);
}

RollCall::~RollCall() {
  int finalised = 0;
  MPI_Finalized(&finalised);
  if (finalised == 0 && comm_ != MPI_COMM_NULL && !broken_)
    MPI_Comm_free(&comm_);
}

/// Answers every call that has come in. Returns the lowest rank that called, the number of ranks if none did.
int RollCall::answer_calls() {
  int caller = size_;
  for (;;) {
    int there = 0;
    MPI_Status status;
    SCOREACT_CHECK_MPI(MPI_Iprobe(MPI_ANY_SOURCE, kCallTag, comm_, &there, &status));
    if (there == 0)
      return caller;
    std::array<long, 2> answer{};
    SCOREACT_CHECK_MPI(
        MPI_Recv(answer.data(), 1, MPI_LONG, status.MPI_SOURCE, kCallTag, comm_, MPI_STATUS_IGNORE));
    answer[1] = exchange_;
    SCOREACT_CHECK_MPI(MPI_Send(answer.data(), 2, MPI_LONG, status.MPI_SOURCE, kAnswerTag, comm_));
    caller = std::min(caller, status.MPI_SOURCE);
  }
}

/// Whether `done` came true within `seconds`, or within `courtesy` seconds after a call of a lower rank: that
/// one will find the same ranks missing, and one message is enough.
bool RollCall::poll(const std::function<bool()>& done, double seconds, double courtesy) {
  double deadline = std::numeric_limits<double>::infinity();
  for (bool first = true;; first = false) {
    for (int i = 0; i < kPollsBetweenLooks; ++i)
      if (done())
        return true;
    const double now = MPI_Wtime();
    if (first)
      deadline = now + seconds;
    if (answer_calls() < rank_)
      deadline = std::max(deadline, now + courtesy);
    if (now > deadline)
      return false;
  }
}

RollCall::Verdict RollCall::call_the_roll(const std::function<bool()>& done, std::vector<long>& answers) {
  ++calls_;
  answers.assign(static_cast<std::size_t>(size_), kSilent);
  answers[static_cast<std::size_t>(rank_)] = exchange_;
  for (int r = 0; r < size_; ++r)
    if (r != rank_) // a few bytes: sent at once, whether the other looks or not
      SCOREACT_CHECK_MPI(MPI_Send(&calls_, 1, MPI_LONG, r, kCallTag, comm_));
  const double end = MPI_Wtime() + grace_;
  while (MPI_Wtime() < end) {
    if (done())
      return Verdict::arrived;
    if (answer_calls() < rank_)
      return Verdict::left_to_another;
    int there = 0;
    MPI_Status status;
    SCOREACT_CHECK_MPI(MPI_Iprobe(MPI_ANY_SOURCE, kAnswerTag, comm_, &there, &status));
    if (there == 0)
      continue;
    std::array<long, 2> answer{};
    SCOREACT_CHECK_MPI(
        MPI_Recv(answer.data(), 2, MPI_LONG, status.MPI_SOURCE, kAnswerTag, comm_, MPI_STATUS_IGNORE));
    if (answer[0] == calls_) // not one to an earlier call, come too late
      answers[static_cast<std::size_t>(status.MPI_SOURCE)] = answer[1];
  }
  return Verdict::absent;
}

std::string RollCall::missing(const std::vector<long>& answers) const {
  std::string silent, behind;
  const auto add = [&](std::string& list, std::size_t r, const std::string& more) {
    list += fmt::format("{}rank {} on {}{}", list.empty() ? "" : ", ", r, nodes_[r], more);
  };
  for (std::size_t r = 0; r < answers.size(); ++r) {
    if (answers[r] == kSilent)
      add(silent, r, "");
    else if (answers[r] < exchange_)
      add(behind, r, fmt::format(" (in exchange {} of {})", answers[r], exchange_));
  }
  if (!silent.empty())
    return fmt::format("no sign of {}, which may be stopped, gone, or busy with something else", silent);
  if (!behind.empty())
    return fmt::format("waiting elsewhere: {}", behind);
  return "all ranks are there, but the messages are not";
}

void RollCall::wait(const std::function<bool()>& done, const char* what) {
  ++exchange_;
  const double start = MPI_Wtime();
  const bool for_ever = patience_ <= 0 || size_ == 1;
  double limit = for_ever ? std::numeric_limits<double>::infinity() : patience_;
  while (!poll(done, limit, 2 * grace_)) {
    std::vector<long> answers;
    const Verdict verdict = call_the_roll(done, answers);
    if (verdict == Verdict::arrived)
      break;
    if (verdict == Verdict::absent) {
      broken_ = true;
      SCOREACT_FAIL(ExitCode::io,
                    "{}: other ranks did not come within {:g} s (run.communication_timeout): {}", what,
                    patience_, missing(answers));
    }
    limit = 2 * grace_; // should the other one not end the run
  }
  waited_ += MPI_Wtime() - start;
}

void RollCall::wait(MPI_Request request, const char* what) {
  wait(
      [&request] {
        int done = 0;
        SCOREACT_CHECK_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
        return done != 0;
      },
      what);
}

bool RollCall::wait_at_most(double seconds, MPI_Request request) {
  ++exchange_;
  const bool arrived = poll(
      [&request] {
        int done = 0;
        SCOREACT_CHECK_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
        return done != 0;
      },
      seconds, 0);
  broken_ = broken_ || !arrived;
  return arrived;
}

} // namespace scoreact
