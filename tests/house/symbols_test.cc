#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// Kernels are compiled once for each CPU level. Were a function with the same name compiled for two
// levels, the linker would keep one of them, and old machines might die in code made for new ones.
namespace wengert::house {
namespace {

const std::vector<std::string> kLevels = {"baseline", "avx2", "avx512"};

struct Symbol {
  char type;
  std::string name;  ///< demangled
  std::string object;
};

std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string text;
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  if (::pclose(pipe) != 0) throw std::runtime_error("failed: " + command);
  return text;
}

/// Defined symbols that the linker sees.
std::vector<Symbol> external_symbols(const std::string& object) {
  std::vector<Symbol> result;
  std::istringstream lines(
      output_of("nm --demangle --defined-only --extern-only '" + object + "'"));
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 20) continue;
    result.push_back({line[17], line.substr(19), object});
  }
  return result;
}

/// Objects by the level that they are compiled for.
std::map<std::string, std::vector<std::string>> level_objects() {
  std::map<std::string, std::vector<std::string>> result;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(WENGERT_BINARY_DIR)) {
    const std::string path = entry.path().string();
    if (!path.ends_with(".o") || path.find("CMakeFiles/wengert") == std::string::npos) continue;
    for (const std::string& level : kLevels) {
      // wengert_elementwise_avx2.dir/…, or a file of its own such as gemm_avx2.cc
      if (path.find("_" + level + ".dir/") != std::string::npos ||
          path.ends_with("_" + level + ".cc.o")) {
        result[level].push_back(path);
      }
    }
  }
  return result;
}

/// Whether a linker may merge several definitions of it.
bool is_weak(const Symbol& symbol) {
  return symbol.type == 'W' || symbol.type == 'V' || symbol.type == 'u' || symbol.type == 'w';
}

/// Sanitizers and coverage add symbols of their own.
bool is_instrumentation(const std::string& name) {
  return name.starts_with("__asan") || name.starts_with("__odr_asan") ||
         name.starts_with("DW.ref.") || name.starts_with("typeinfo") ||
         name.starts_with("vtable for __");
}

TEST(LevelObjects, EveryExternalSymbolNamesItsLevel) {
  const auto objects = level_objects();
  ASSERT_FALSE(objects.at("baseline").empty());
  std::size_t seen = 0;
  for (const auto& [level, paths] : objects) {
    for (const std::string& path : paths) {
      for (const Symbol& symbol : external_symbols(path)) {
        if (is_instrumentation(symbol.name)) continue;
        ++seen;
        EXPECT_NE(symbol.name.find(level), std::string::npos)
            << symbol.name << " (" << symbol.type << ") in " << path << " does not name " << level;
      }
    }
  }
  EXPECT_GT(seen, 20u);
}

TEST(LevelObjects, ShareNoSymbolWithOtherLevelsOrTheRest) {
  std::map<std::string, std::set<std::string>> levels_of;
  for (const auto& [level, paths] : level_objects()) {
    for (const std::string& path : paths) {
      for (const Symbol& symbol : external_symbols(path)) {
        if (!is_instrumentation(symbol.name)) levels_of[symbol.name].insert(level);
      }
    }
  }
  for (const auto& [name, levels] : levels_of) {
    EXPECT_EQ(levels.size(), 1u) << name << " is compiled for " << levels.size() << " levels";
  }
}

TEST(LevelObjects, HaveNoWeakSymbolThatCodeForEveryMachineCouldPick) {
  for (const auto& [level, paths] : level_objects()) {
    for (const std::string& path : paths) {
      for (const Symbol& symbol : external_symbols(path)) {
        if (!is_weak(symbol) || is_instrumentation(symbol.name)) continue;
        EXPECT_NE(symbol.name.find(level), std::string::npos) << symbol.name << " in " << path;
      }
    }
  }
}

// Libraries that are opened by dlopen share some hundred bytes for such variables.
TEST(Library, KeepsItsThreadLocalVariablesSmall) {
  std::istringstream lines(output_of("readelf -lW '" WENGERT_BINARY_DIR "/libwengert.so'"));
  std::uint64_t bytes = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string type, offset, address, physical, in_file, in_memory;
    words >> type >> offset >> address >> physical >> in_file >> in_memory;
    if (type == "TLS") bytes = std::stoull(in_memory, nullptr, 16);
  }
  EXPECT_GT(bytes, 0u);
  EXPECT_LE(bytes, 96u);
}

// What runs at exit may compute: nothing that the library keeps is destroyed then. The pool's
// threads alone are joined.
TEST(Library, DestroysNothingAtExit) {
  // Every undefined symbol of the library's objects: "PATH: U NAME".
  std::istringstream lines(output_of("find '" WENGERT_BINARY_DIR
                                     "/CMakeFiles' -path '*/wengert*.dir/*.o' "
                                     "-not -path '*/wengert_testing.dir/*' -print0 | "
                                     "xargs -0 nm --undefined-only --print-file-name"));
  int seen = 0;
  for (std::string line; std::getline(lines, line); ++seen) {
    if (line.find("ops/kernels/thread_pool.cc.o") != std::string::npos) continue;
    for (const char* function : {" __cxa_atexit", " __cxa_thread_atexit"}) {
      EXPECT_FALSE(line.ends_with(function))
          << line << ": an object with a destructor is static; let it live on";
    }
  }
  EXPECT_GT(seen, 1000);
}

TEST(CompileCommands, NameNoMachineOfTheBuilder) {
  std::ifstream file(WENGERT_BINARY_DIR "/compile_commands.json");
  ASSERT_TRUE(file.is_open());
  std::ostringstream text;
  text << file.rdbuf();
  const std::string commands = text.str();
  EXPECT_GT(commands.size(), 1000u);
  for (const char* flag : {"-march=native", "-mtune=native", "-mcpu=native", "-ffast-math",
                           "-funsafe-math-optimizations", "-fassociative-math"}) {
    EXPECT_EQ(commands.find(flag), std::string::npos) << flag;
  }
  EXPECT_NE(commands.find("-ffp-contract=off"), std::string::npos);
}

}  // namespace
}  // namespace wengert::house
