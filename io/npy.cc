#include <cstddef>
#include <cstdint>
#include <string>

#include "wengert/graph/call_site.h"
#include "wengert/io/file.h"
#include "wengert/io/npy_format.h"
#include "wengert/io/numpy.h"

namespace wengert::io {

Tensor read_npy(const std::string& path, std::source_location where) {
  const wengert::detail::CallSite site(where);
  InputFile file(path);
  const detail::NpyInput input{path, {}, file.size(), [&file](void* bytes, std::size_t count) {
                                 return file.read(bytes, count);
                               }};
  const detail::NpyHeader header = detail::read_npy_header(input);
  return detail::read_npy_elements(input, header);
}

void write_npy(const std::string& path, const Tensor& tensor, std::source_location where) {
  const wengert::detail::CallSite site(where);
  const Tensor dense = tensor.contiguous();
  AtomicFile file(path);
  file.write(detail::format_npy_header(dense));
  file.write(dense.data(),
             static_cast<std::size_t>(dense.element_count()) * size_of(dense.dtype()));
  file.commit();
}

}  // namespace wengert::io
