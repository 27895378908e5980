#pragma once

#include <cstdint>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/tests/memory/faults.h"
#include "wengert/tests/memory/scratch.h"
#include "wengert/tests/memory/trainee.h"

// Programs in which something is refused. Each does its steps one after the other, and does a step
// that failed again: what comes out must have the bits of a run in which nothing was refused.
namespace wengert {

/// Does steps, in one of which something is refused.
class Attempts {
 public:
  Attempts(const faults::Fault& fault, std::int64_t failing) : fault_(fault), failing_(failing) {}

  /// Runs `step`; after a failure that was announced as one, runs it again with nothing refused.
  /// `check` sees the state that the failure left.
  template <class Step>
  auto operator()(Step&& step, const std::function<void()>& check = {}) {
    if (done_) return step();
    faults::arm(fault_, failing_);
    try {
      struct Disarm {
        Attempts& attempts;
        ~Disarm() { attempts.finish(); }
      } disarm{*this};
      return step();
    } catch (const std::bad_alloc&) {
      refused_ = true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kMemory && error.kind() != ErrorKind::kFile) throw;
      refused_ = true;
      message_ = error.what();
    }
    if (!done_) throw std::runtime_error("an error, but nothing was refused: " + message_);
    if (check) check();
    return step();
  }

  bool failed() const { return done_; }
  /// Whether a step said so.
  bool refused() const { return refused_; }
  const std::string& message() const { return message_; }

 private:
  void finish() {
    done_ = faults::disarm();
    failing_ -= faults::requests();
  }
  faults::Fault fault_;
  std::int64_t failing_;
  bool done_ = false, refused_ = false;
  std::string message_;
};

struct Program {
  std::string name;
  std::function<std::string(Attempts&)> run;
  Features features = {};  ///< of training, those that it uses
  bool threads = false;    ///< it computes on several
};

std::vector<Program> graph_programs();
std::vector<Program> training_programs();
std::vector<Program> file_programs();
std::vector<Program> drawing_programs();

/// All of them.
inline std::vector<Program> programs() {
  std::vector<Program> all;
  for (const auto& table :
       {graph_programs(), training_programs(), file_programs(), drawing_programs()}) {
    all.insert(all.end(), table.begin(), table.end());
  }
  return all;
}

}  // namespace wengert
