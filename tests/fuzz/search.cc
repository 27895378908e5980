#include "wengert/optim/training/search.h"

#include <string>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/io/file.h"
#include "wengert/tests/fuzz/target.h"

// The file of a search, from which it goes on, or which it refuses and leaves as it was.
namespace wengert::fuzz {

FUZZ_TARGET(search) {
  const bool retry = input.chance();
  const std::string bytes = input.rest();
  const ScratchFolder folder;
  const std::string path = folder / "search";
  io::write_file_atomically(path, bytes);
  const std::vector<optim::SearchAxis> axes = {optim::SearchAxis::values("x", {1, 2}),
                                               optim::SearchAxis::words("y", {"a", "b"})};
  std::int64_t calls = 0;
  const auto loss = [&calls](const optim::Trial& trial) { return ++calls, trial.value("x"); };
  try {
    const optim::SearchResult result =
        optim::grid_search(axes, loss, {.file = path, .retry_failed = retry});
    require(static_cast<std::int64_t>(result.trials.size()) == result.wanted, "trials are lost");
    require(calls <= result.wanted, "a trial is tried twice");
    (void)result.str();
    (void)result.json();
    (void)result.picture("search");
  } catch (const IoError& error) {
    require(error.path() == path, "an error of another file");
    require(calls == 0, "a refused search has begun");
    require(io::read_file(path) == bytes, "a refused file was written to");
    return;
  }
  accept();
}

}  // namespace wengert::fuzz
