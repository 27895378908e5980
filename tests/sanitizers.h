#pragma once

// Which sanitizer the tests are built with: 1 or 0. Compilers say it in two ways.
#ifdef __has_feature
#define WENGERT_HAS_FEATURE(name) __has_feature(name)
#else
#define WENGERT_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || WENGERT_HAS_FEATURE(address_sanitizer)
#define WENGERT_ADDRESS_SANITIZER 1
#else
#define WENGERT_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__) || WENGERT_HAS_FEATURE(thread_sanitizer)
#define WENGERT_THREAD_SANITIZER 1
#else
#define WENGERT_THREAD_SANITIZER 0
#endif
