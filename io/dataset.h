#pragma once

#include <source_location>
#include <string>

#include "wengert/graph/api.h"
#include "wengert/graph/tensor.h"

namespace wengert::io {

/// Images of one channel with their classes, split for training and for testing.
struct ImageSet {
  Tensor train_images;  ///< u8 [n,28,28], 0 black to 255 white
  Tensor train_labels;  ///< u8 [n], classes 0 to 9
  Tensor test_images;   ///< u8 [m,28,28]
  Tensor test_labels;   ///< u8 [m]
};

/// Loads Fashion-MNIST: 60,000 and 10,000 pictures of clothes in 10 classes (MNIST itself, under
/// the same file names, loads as well). Source: Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747.
///
/// The folder is `folder` if given, else the one that the environment variable WENGERT_DATA
/// names (or its subfolder fashion-mnist), else /usr/share/datasets/fashion-mnist, where Debian's
/// package dataset-fashion-mnist puts it. Files are {train,t10k}-{images-idx3,labels-idx1}-ubyte,
/// gzipped (with .gz) or not.
///
/// Throws IoError naming the file, what is wrong with it and how to get the data: missing or
/// damaged files, pictures that are not u8 [n,28,28], counts that differ, labels above 9.
WENGERT_API ImageSet load_fashion_mnist(
    const std::string& folder = {}, std::source_location where = std::source_location::current());

}  // namespace wengert::io
