#pragma once

/// WENGERT_API marks what the shared library exports; everything else in it is hidden.
#define WENGERT_API __attribute__((visibility("default")))
/// Marks an exported class whose values are not to be dropped where a function gives them. (g++ 12
/// takes no second attribute beside WENGERT_API, and warns of a dropped guard only where its
/// constructor is marked.)
#define WENGERT_NODISCARD_API [[nodiscard, gnu::visibility("default")]]
