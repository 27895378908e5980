#pragma once

namespace wengert {

/// What a formula's partial looks at: x or a, b, c, and the value y.
enum : int { kNone = 0, kX = 1, kA = 1, kB = 2, kY = 4, kC = 8 };

}  // namespace wengert
