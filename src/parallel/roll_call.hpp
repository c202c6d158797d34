#pragma once
/// Waiting for other ranks with a limit, and finding out for whom. Every operation that all ranks take part
/// in is started without blocking and then waited for here. A rank that has waited longer than its patience
/// calls the roll: whoever waits as well answers at once with the number of the exchange that it waits in;
/// who doesn't answer is stopped, gone, or busy with something else. Costs nothing until then: no message is
/// sent while ranks arrive in time.
#include <mpi.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace scoreact {

class RollCall {
 public:
  /// Collective. @param patience seconds; 0 waits for ever
  RollCall(MPI_Comm parent, double patience);
  ~RollCall();
  RollCall(const RollCall&) = delete;
  RollCall& operator=(const RollCall&) = delete;

  /// One exchange: polls `done` until it is true. All ranks must make the same exchanges in the same order.
  /// @param what in a few words, for the message
  /// Throws Error{io} that names the ranks that did not come when patience has run out.
  void wait(const std::function<bool()>& done, const char* what);
  /// The same for a request, freed when it returns. Throws Error{internal} for an MPI error.
  void wait(MPI_Request request, const char* what);
  /// The same, but after `seconds` it gives up: false, and no roll is called.
  bool wait_at_most(double seconds, MPI_Request request);

  double seconds_waited() const { return waited_; } ///< in all exchanges so far
  /// True once patience has run out: what was started can't be finished, the communicator is unusable.
  bool broken() const { return broken_; }

 private:
  /// One rank's answer: nothing, or the exchange in which it waits.
  static constexpr long kSilent = std::numeric_limits<long>::min();

  enum class Verdict { arrived, left_to_another, absent };

  bool poll(const std::function<bool()>& done, double seconds, double courtesy);
  int answer_calls();
  Verdict call_the_roll(const std::function<bool()>& done, std::vector<long>& answers);
  std::string missing(const std::vector<long>& answers) const;

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  double patience_ = 0, grace_ = 0; ///< seconds; grace is the time to answer a call
  double waited_ = 0;
  long exchange_ = 0, calls_ = 0;
  bool broken_ = false;
  std::vector<std::string> nodes_; ///< name of every rank's computer
};

} // namespace scoreact
