#pragma once

// What the rooms above the graph keep for each thread: freed after the destructors of the thread's
// thread-local variables, so that these may still compute, and never for the main thread. Private
// to the library.
namespace wengert::detail {

/// Each has a place of its own.
enum class Kept { kCotangentTables, kHooks, kGemmWorkspace, kGemmStaging, kPlaces };

struct KeptObject {
  void* object = nullptr;
  void (*free)(void* object) = nullptr;
};

/// The calling thread's object in that place, empty at first. Throws std::bad_alloc.
KeptObject& kept_object(Kept place);

/// What a room keeps in that place for the calling thread; one type a place.
template <class T, Kept kPlace>
T& kept_by_thread() {
  KeptObject& kept = kept_object(kPlace);
  if (kept.object == nullptr) {
    kept = {new T, [](void* object) { delete static_cast<T*>(object); }};
  }
  return *static_cast<T*>(kept.object);
}

}  // namespace wengert::detail
