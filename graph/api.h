#pragma once

/// WENGERT_API marks what the shared library exports; everything else in it is hidden.
#define WENGERT_API __attribute__((visibility("default")))
