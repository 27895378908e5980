#include "wengert/optim/options.h"

#include <cmath>

#include "wengert/graph/error.h"
#include "wengert/optim/methods.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/schedule.h"
#include "wengert/tests/fuzz/target.h"

// Options of optimizers and schedules as people write them: a value in its range that reads as it
// is written, or an error that says what the option takes.
namespace wengert::fuzz {
namespace {

template <class Def, class Make>
void try_options(const Def& def, Input& input, Make&& make) {
  const std::vector<optim::OptionDef>& options = def.options();
  std::vector<optim::OptionSetting> settings;
  for (int i = input.below(4); i > 0; --i) {
    const int choice = input.below(32);
    std::string name =
        choice < 28 && !options.empty()
            ? std::string(options[static_cast<std::size_t>(choice) % options.size()].name)
            : std::string(1, static_cast<char>(input.byte()));
    std::string value;
    for (int n = input.below(24); n > 0; --n) value += static_cast<char>(input.byte());
    settings.push_back({name, value});
  }
  try {
    const optim::OptionValues values = optim::option_values(options, settings, def.name);
    for (std::size_t i = 0; i < options.size(); ++i) {
      const double number = values[i];
      require(std::isfinite(number) || options[i].range.holds(number), "a value outside");
      for (const double x : values[i].list()) {
        require(options[i].range.holds(x), "a value of a list outside");
      }
      const optim::OptionValue again = options[i].parse(options[i].text(values[i]), def.name);
      require(again == values[i], "a text that reads as another number");
    }
    accept();
    make(def, settings);
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::kValue, error.what());
  }
}

}  // namespace

FUZZ_TARGET(options) {
  if (input.chance()) {
    const auto all = optim::registered_methods();
    try_options(*all[static_cast<std::size_t>(input.byte()) % all.size()], input,
                [](const auto& def, const auto& s) { (void)optim::make_optimizer(def.name, s); });
  } else {
    const auto all = optim::registered_schedules();
    try_options(
        *all[static_cast<std::size_t>(input.byte()) % all.size()], input,
        [&](const auto& def, const auto& s) {
          optim::Schedule schedule = optim::make_schedule(def.name, s);
          for (int i = 0; i < 4; ++i) {
            const optim::Progress at{input.below(100), 1 + input.below(9), 1 + input.below(99)};
            const double factor = schedule.factor(at);
            require(factor >= 0 && std::isfinite(factor), "a factor that is none");
            schedule.observe(input.below(9));
          }
        });
  }
}

}  // namespace wengert::fuzz
