#pragma once
/// Sums a flat gradient over the ranks while the last backward pass of an update is still at work. The buffer
/// is cut into slices of whole parameters, from its end to its front: a backward pass fills it about in that
/// order. As soon as autograd has added to every parameter of a slice, and the slices before it are on their
/// way, its reduction starts; every rank thus starts the same slices in the same order.
#include "optim/flat_parameters.hpp"
#include "optim/gradient_reduction.hpp"

#include <vector>

namespace scoreact {

class EarlyReduction {
 public:
  /// Puts a hook on every parameter; both arguments must outlive the backward passes.
  /// @param slice smallest length of a slice, floats (the foremost may be shorter)
  EarlyReduction(const FlatParameters&, GradientReduction&, long slice);
  ~EarlyReduction();
  EarlyReduction(const EarlyReduction&) = delete;
  EarlyReduction& operator=(const EarlyReduction&) = delete;

  /// The next backward pass is the last one of this update on this rank. One pass only: a parameter that gets
  /// a second addition afterwards makes it throw Error{internal}.
  void expect_last_pass() { armed_ = true; }
  /// Starts what has not been started (all of it on a rank without a backward pass) and waits. Collective.
  void finish();
  /// After a failure: gives up what was started.
  void abandon();

  long slices() const { return static_cast<long>(slices_.size()); }
  long started() const { return static_cast<long>(next_); } ///< of this update, so far

 private:
  struct Hook;
  struct Slice {
    long first, length;  ///< in the flat buffer
    long parameters = 0; ///< that lie in it
    long ready = 0;      ///< of these, in the pass at work
  };
  void ready(std::size_t parameter);
  void start_next();
  void reset();

  at::Tensor gradient_;
  GradientReduction& reduction_;
  std::vector<at::Tensor> parameters_;
  std::vector<std::size_t> slice_of_; ///< of every parameter
  std::vector<bool> seen_;
  std::vector<Slice> slices_; ///< from the end of the buffer to its front
  std::size_t next_ = 0;      ///< slice to start
  bool armed_ = false;
};

} // namespace scoreact
