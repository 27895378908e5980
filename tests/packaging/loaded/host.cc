#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

// Opens plugins that are linked with the library; is not linked with it itself.
//   host PLUGIN OTHER COPY…   OTHER is linked with a second copy of the library
namespace {

void fail(const std::string& why) {
  std::fprintf(stderr, "host: %s\n", why.c_str());
  std::exit(1);
}

struct Plugin {
  explicit Plugin(const char* path) : handle(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    if (handle == nullptr) fail(dlerror());
  }
  template <class Function>
  Function* function(const char* name) const {
    void* found = dlsym(handle, name);
    if (found == nullptr) fail(std::string("no ") + name);
    return reinterpret_cast<Function*>(found);
  }
  void close() const {
    if (dlclose(handle) != 0) fail(dlerror());
  }
  void* handle;
};

void check(const Plugin& plugin) {
  const double x = 0.5, tanh = std::tanh(x * x);
  const double wanted = (1 - tanh * tanh) * 2 * x;
  const double got = plugin.function<double(double)>("differentiate")(x);
  if (!(std::fabs(got - wanted) < 1e-14)) fail("the derivative is " + std::to_string(got));
}

/// Each on a thread of its own, and on its own pool's.
void compute_with_both(const Plugin& one, const Plugin& other) {
  std::thread threads[2];
  for (int i = 0; i < 2; ++i) {
    threads[i] = std::thread([&plugin = i == 0 ? one : other] {
      for (int round = 0; round < 20; ++round) {
        check(plugin);
        const double sum = plugin.function<double()>("differentiate_in_parallel")();
        if (sum != 256.0 * 256 * 256) fail("the parallel sum is " + std::to_string(sum));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

struct Late {
  Plugin one, other;
  ~Late() {
    check(one);
    check(other);
  }
};

}  // namespace

int main(int count, char** arguments) {
  for (int i = 3; i < count; ++i) Plugin{arguments[i]};  // copies, all open at once
  for (int round = 0; round < 50; ++round) {
    const Plugin plugin(arguments[1]);
    std::thread([&] { check(plugin); }).join();
    if (round % 10 == 0) {
      const double sum = plugin.function<double()>("differentiate_in_parallel")();
      if (sum != 256.0 * 256 * 256) fail("the parallel sum is " + std::to_string(sum));
    }
    std::thread ends_later([&] {
      check(plugin);
      plugin.close();
    });
    ends_later.join();
  }
  const Plugin one(arguments[1]), other(arguments[2]);
  void* tape = one.function<void*()>("begin_tape")();
  if (one.function<int()>("has_tape")() != 1) fail("the tape is not seen");
  if (other.function<int()>("has_tape")() != 0) fail("two copies share a thread's state");
  check(other);
  check(one);
  one.function<void(void*)>("end_tape")(tape);
  compute_with_both(one, other);
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    compute_with_both(one, other);
    return 0;
  }
  int status = -1;
  if (waitpid(child, &status, 0) != child || status != 0) fail("a child ended badly");
  // Both end with the process, with tapes alive and one more gradient to come.
  static Late late{one, other};
  (void)one.function<void*()>("begin_tape")();
  (void)other.function<void*()>("begin_tape")();
  std::puts("loaded");
}
