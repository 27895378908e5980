#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <string>
#include <vector>

#include "wengert/ops/composite.h"
#include "wengert/ops/reduction/axes.h"

// Einstein sums as permutations, diagonals, sums and one batched product a pair of operands.
namespace wengert {
namespace ops {

namespace {

struct EinsumAttributes {
  std::string_view equation;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("equation", self.equation);
  }
};

/// An operand and the letter of each of its axes.
struct Term {
  Var value;
  std::string letters;
};

class Einsum {
 public:
  explicit Einsum(const ExpandContext& call)
      : call_(call), equation_(call.attributes<EinsumAttributes>().equation), where_(call.where()) {
    parse();
  }

  Var run() {
    Term result = diagonals(terms_[0]);
    for (std::size_t k = 1; k < terms_.size(); ++k) {
      result = contract(result, diagonals(terms_[k]), k + 1);
    }
    result = keep_only(result, output_);
    return arrange(result, output_);
  }

 private:
  [[noreturn]] void fail(ErrorKind kind, const std::string& message, const std::string& fix = {}) {
    call_.fail(kind, "'" + equation_ + "': " + message, fix);
  }

  void parse() {
    std::string text;
    for (char c : equation_) {
      if (c != ' ') text += c;
    }
    const auto arrow = text.find("->");
    std::string inputs = text.substr(0, arrow), group;
    std::vector<std::string> groups;
    for (char c : inputs + ",") {
      if (c == ',') {
        groups.push_back(group);
        group.clear();
      } else {
        check_letter(c);
        group += c;
      }
    }
    if (static_cast<int>(groups.size()) != call_.input_count()) {
      fail(ErrorKind::kValue, std::to_string(groups.size()) + " groups of indices for " +
                                  std::to_string(call_.input_count()) + " operands");
    }
    check_dtypes();
    for (std::size_t k = 0; k < groups.size(); ++k)
      add_term(call_.operand(static_cast<int>(k)), groups[k], k);
    if (arrow == std::string::npos) {
      for (char c = 'A'; c <= 'z'; ++c) {
        if (std::count(inputs.begin(), inputs.end(), c) == 1) output_ += c;
      }
      return;
    }
    output_ = text.substr(arrow + 2);
    for (std::size_t i = 0; i < output_.size(); ++i) {
      check_letter(output_[i]);
      if (sizes_[index(output_[i])] < 0) {
        fail(ErrorKind::kValue,
             std::string("index ") + output_[i] + " of the result is in no operand");
      }
      if (output_.find(output_[i]) != i) {
        fail(ErrorKind::kValue, std::string("index ") + output_[i] + " is twice in the result");
      }
    }
  }

  static std::size_t index(char c) { return static_cast<std::size_t>(c); }

  void check_letter(char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return;
    fail(ErrorKind::kValue, std::string("'") + c + "' is not an index",
         c == '.' ? "name every axis by a letter; ellipses are not supported"
                  : "indices are letters");
  }

  /// Products are those of matmul; one operand alone is moved about, and summed if it is numbers.
  void check_dtypes() {
    if (call_.input_count() == 1) return;
    call_.require_same_dtype(0, call_.input_count() - 1);
    call_.require_floating(0);
  }

  void add_term(const Var& value, const std::string& letters, std::size_t k) {
    if (value.rank() != static_cast<int>(letters.size())) {
      fail(ErrorKind::kShape, std::to_string(letters.size()) + " indices for operand " +
                                  std::to_string(k + 1) + ", " +
                                  to_string(value.dtype(), value.shape()));
    }
    for (int d = 0; d < value.rank(); ++d) {
      std::int64_t& size = sizes_[index(letters[static_cast<std::size_t>(d)])];
      if (size >= 0 && size != value.size(d)) {
        const char letter = letters[static_cast<std::size_t>(d)];
        Var other = value;  // a diagonal's
        for (const Term& term : terms_) {
          if (term.letters.find(letter) != std::string::npos) other = term.value;
        }
        fail(ErrorKind::kShape,
             std::string("index ") + letter + " is " + std::to_string(size) + " of " +
                 to_string(other.dtype(), other.shape()) + " and " + std::to_string(value.size(d)) +
                 " of " + to_string(value.dtype(), value.shape()),
             "an index has one size wherever it stands: does the equation name the axes in the "
             "operands' order?");
      }
      size = value.size(d);
    }
    terms_.push_back({value, letters});
  }

  /// Takes diagonals until each letter stands once.
  Term diagonals(Term term) {
    for (std::size_t i = 0; i < term.letters.size(); ++i) {
      const auto again = term.letters.find(term.letters[i], i + 1);
      if (again == std::string::npos) continue;
      term.value = diagonal(term.value, 0, static_cast<int>(i), static_cast<int>(again), where_);
      const char letter = term.letters[i];
      term.letters.erase(again, 1);
      term.letters.erase(i, 1);
      term.letters += letter;
      i = static_cast<std::size_t>(-1);  // axes moved: look again from the start
    }
    return term;
  }

  /// Sums over letters that are not wanted.
  Term keep_only(Term term, const std::string& wanted) {
    Axes axes;
    std::string letters;
    for (std::size_t i = 0; i < term.letters.size(); ++i) {
      if (wanted.find(term.letters[i]) == std::string::npos) {
        axes.push_back(static_cast<std::int64_t>(i));
      } else {
        letters += term.letters[i];
      }
    }
    if (axes.empty()) return term;
    require_number(call_);
    return {sum(term.value, axes, false, where_), letters};
  }

  Var arrange(const Term& term, const std::string& order) {
    if (term.letters == order) return term.value;
    Axes axes;
    for (char c : order) axes.push_back(static_cast<std::int64_t>(term.letters.find(c)));
    return permute(term.value, axes, where_);
  }

  std::int64_t product_of(const std::string& letters) const {
    std::int64_t product = 1;
    for (char c : letters) product *= sizes_[index(c)];
    return product;
  }

  /// Multiplies two terms and sums what neither the result nor terms from `next` on need.
  Term contract(Term a, Term b, std::size_t next) {
    std::string later = output_;
    for (std::size_t k = next; k < terms_.size(); ++k) later += terms_[k].letters;
    a = keep_only(a, later + b.letters);
    b = keep_only(b, later + a.letters);
    std::string batch, shared, left, right;
    for (char c : a.letters) {
      const bool in_b = b.letters.find(c) != std::string::npos;
      const bool needed = later.find(c) != std::string::npos;
      (!in_b ? left : needed ? batch : shared) += c;
    }
    for (char c : b.letters) {
      if (a.letters.find(c) == std::string::npos) right += c;
    }
    const std::int64_t n = product_of(batch), k = product_of(shared);
    const Var lhs = reshape(arrange(a, batch + left + shared), {n, product_of(left), k}, where_);
    const Var rhs = reshape(arrange(b, batch + shared + right), {n, k, product_of(right)}, where_);
    Term result{matmul(lhs, rhs, where_), batch + left + right};
    if (result.letters.size() > static_cast<std::size_t>(kMaxRank)) {
      fail(ErrorKind::kShape, "an intermediate result has more than 8 indices");
    }
    Shape shape;
    for (char c : result.letters) shape.push_back(sizes_[index(c)]);
    result.value = reshape(result.value, shape, where_);
    return result;
  }

  const ExpandContext& call_;
  std::string equation_;
  std::source_location where_;
  std::vector<Term> terms_;
  std::string output_;
  std::vector<std::int64_t> sizes_ = std::vector<std::int64_t>(128, -1);
};

}  // namespace

constinit const OpDef einsum_op = composite(
    "einsum", 1, -1, kAllInputs, [](const ExpandContext& call) { return Einsum(call).run(); },
    &attribute_type<EinsumAttributes>, nullptr,
    {.summary = "Sums of products named by indices.",
     .formula = "y[out] = Σ over the other letters of Πₖ operandₖ[letters of k]",
     .arguments =
         "equation: \"ij,jk->ik\", letters only, one group an operand; a letter twice in "
         "a group takes the diagonal; without \"->\" the result has the letters that occur "
         "once, in alphabetical order; operands: float32 or float64 of one dtype. "
         "Recorded as permute, diagonal, sum and matmul",
     .gradient = "that of its parts",
     .source = "A. Einstein, Die Grundlage der allgemeinen Relativitätstheorie, 1916, §5"});

}  // namespace ops

Var einsum(std::string_view equation, const VarList& operands, std::source_location where) {
  std::vector<const Var*> pointers;
  for (const Var& operand : operands) pointers.push_back(&operand);
  const ops::EinsumAttributes attributes{equation};
  return apply(ops::einsum_op, pointers, &attributes, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

namespace {
using wengert::Tensor;

/// The definition: every assignment of the letters, one product each.
Tensor einsum_reference(const std::string& inputs, const std::string& output,
                        std::span<const Tensor> operands) {
  std::string letters;
  std::vector<std::int64_t> sizes;
  std::vector<std::string> groups(1);
  for (char c : inputs) {
    if (c == ',') {
      groups.emplace_back();
    } else {
      groups.back() += c;
    }
  }
  for (std::size_t k = 0; k < groups.size(); ++k) {
    for (std::size_t d = 0; d < groups[k].size(); ++d) {
      if (letters.find(groups[k][d]) != std::string::npos) continue;
      letters += groups[k][d];
      sizes.push_back(operands[k].shape()[static_cast<int>(d)]);
    }
  }
  wengert::Shape shape;
  for (char c : output) shape.push_back(sizes[letters.find(c)]);
  return wengert::testing::by_index(shape, [&](const wengert::Dims& at) {
    double total = 0;
    std::int64_t assignments = 1;
    for (std::int64_t size : sizes) assignments *= size;
    for (std::int64_t i = 0; i < assignments; ++i) {
      std::vector<std::int64_t> value(sizes.size());
      std::int64_t rest = i;
      for (std::size_t l = 0; l < sizes.size(); ++l) {
        value[l] = rest % sizes[l];
        rest /= sizes[l];
      }
      bool here = true;
      for (std::size_t d = 0; d < output.size(); ++d) {
        here &= value[letters.find(output[d])] == at[static_cast<int>(d)];
      }
      if (!here) continue;
      double product = 1;
      for (std::size_t k = 0; k < groups.size(); ++k) {
        wengert::Dims index;
        for (char c : groups[k]) index.push_back(value[letters.find(c)]);
        product *= wengert::testing::element(operands[k], index);
      }
      total += product;
    }
    return total;
  });
}
}  // namespace

WENGERT_OP_TESTS(einsum) {
  OpTests tests;
  tests.order = 2;
  tests.ulps32 = tests.ulps64 = 40;
  const auto add = [&](const std::string& inputs, const std::string& output,
                       std::vector<Shape> shapes) {
    std::vector<Tensor> operands;
    for (const Shape& shape : shapes) {
      operands.push_back(spread(shape, -1, 1, static_cast<int>(operands.size()) + 1));
    }
    const std::string equation = inputs + "->" + output;
    add_sample(
        tests, equation, operands, [=](std::span<const Var> x) { return einsum(equation, x); },
        [=](std::span<const Tensor> x) { return einsum_reference(inputs, output, x); });
  };
  add("ij,jk", "ik", {{2, 3}, {3, 4}});
  add("bij,bjk", "bik", {{2, 3, 2}, {2, 2, 3}});
  add("ii", "i", {{3, 3}});
  add("ii", "", {{3, 3}});
  add("ij", "ji", {{2, 3}});
  add("i,j", "ij", {{2}, {3}});
  add("ij,kj,k", "i", {{2, 3}, {4, 3}, {4}});
  add("iji,jk", "ki", {{2, 3, 2}, {3, 2}});
  add("ij,jk", "ik", {{2, 0}, {0, 3}});
  // Without a result every index that occurs once stays, in the order of the alphabet.
  const auto implicit = [&](const std::string& inputs, const std::string& output,
                            const std::vector<Tensor>& operands) {
    add_sample(
        tests, inputs, operands, [=](std::span<const Var> x) { return einsum(inputs, x); },
        [=](std::span<const Tensor> x) { return einsum_reference(inputs, output, x); });
  };
  implicit("ij,jk", "ik", {spread({2, 3}, -1, 1), spread({3, 4}, -1, 1, 2)});
  implicit("ba", "ab", {spread({2, 3}, -1, 1)});
  implicit("ii", "", {spread({3, 3}, -1, 1)});
  tests.small_only = "recorded as matmul, mul and sum, whose large samples count";
  tests.rejected = {{"groups",
                     [] {
                       return einsum("ij,jk->ik", {zeros32({2, 3})});
                     },
                     ErrorKind::kValue, "'ij,jk->ik': 2 groups of indices for 1 operands"},
                    {"sizes",
                     [] {
                       return einsum("ij,jk->ik", {zeros32({2, 3}), zeros32({4, 3})});
                     },
                     ErrorKind::kShape, "'ij,jk->ik': index j is 3 of f32[2,3] and 4 of f32[4,3]"},
                    {"rank",
                     [] {
                       return einsum("ijk->i", {zeros32({2, 3})});
                     },
                     ErrorKind::kShape, "'ijk->i': 3 indices for operand 1, f32[2,3]"},
                    {"unknown",
                     [] {
                       return einsum("ij->k", {zeros32({2, 3})});
                     },
                     ErrorKind::kValue, "'ij->k': index k of the result is in no operand"},
                    {"ellipsis",
                     [] {
                       return einsum("...i->i", {zeros32({2, 3})});
                     },
                     ErrorKind::kValue, "'...i->i': '.' is not an index"}};
  return tests;
}
#endif
