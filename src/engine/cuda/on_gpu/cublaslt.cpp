#include "engine/cuda/on_gpu/cublaslt.h"

#include <cublasLt.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <compare>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <vector>

#include "base/error.h"
#include "engine/cuda/runtime.h"

namespace strider::cuda {
namespace {

constexpr std::uint64_t kWorkspaceBytes = 32U << 20U;

// The library's functions that are used here, by their own types.
struct Functions {
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtDestroy) destroy = nullptr;
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtMatmulDescCreate) desc_create = nullptr;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) layout_create = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy = nullptr;
  decltype(&cublasLtMatrixLayoutSetAttribute) layout_set = nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
};

template <typename Function>
void find(void* library, const char* name, Function& function) {
  void* const found = dlsym(library, name);
  if (found == nullptr) throw Error(fmt::format("cuBLASLt has no function {}", name));
  function = reinterpret_cast<Function>(found);
}

struct CloseLibrary {
  void operator()(void* library) const { dlclose(library); }
};
using Library = std::unique_ptr<void, CloseLibrary>;

Library open_library() {
  const std::string name = fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR);
  std::vector<std::string> places = {name};
  if (const char* home = std::getenv("CUDA_HOME"); home != nullptr && *home != '\0') {
    places.push_back(fmt::format("{}/lib64/{}", home, name));
    places.push_back(fmt::format("{}/lib/{}", home, name));
  }
  places.push_back(fmt::format("{}/{}", STRIDER_CUDA_LIBRARIES, name));
  for (const std::string& place : places) {
    if (void* const library = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL)) return Library(library);
  }
  throw Error(fmt::format("cuBLASLt was not found as {}", fmt::join(places, ", ")),
              {.file = {}, .place = {}, .advice = "Set CUDA_HOME to the CUDA toolkit's folder, or use DEVICE=cpu."});
}

Functions functions_of(void* library) {
  Functions f;
  find(library, "cublasLtCreate", f.create);
  find(library, "cublasLtDestroy", f.destroy);
  find(library, "cublasLtMatmul", f.matmul);
  find(library, "cublasLtMatmulDescCreate", f.desc_create);
  find(library, "cublasLtMatmulDescDestroy", f.desc_destroy);
  find(library, "cublasLtMatmulDescSetAttribute", f.desc_set);
  find(library, "cublasLtMatrixLayoutCreate", f.layout_create);
  find(library, "cublasLtMatrixLayoutDestroy", f.layout_destroy);
  find(library, "cublasLtMatrixLayoutSetAttribute", f.layout_set);
  find(library, "cublasLtMatmulPreferenceCreate", f.preference_create);
  find(library, "cublasLtMatmulPreferenceDestroy", f.preference_destroy);
  find(library, "cublasLtMatmulPreferenceSetAttribute", f.preference_set);
  find(library, "cublasLtMatmulAlgoGetHeuristic", f.heuristic);
  return f;
}

void check_status(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(fmt::format("cuBLASLt could not {} (status {})", what, static_cast<int>(status)),
              {.file = {}, .place = {}, .advice = "DEVICE=cpu trains without the GPU."});
}

// Bytes that an address is a multiple of, as far as algorithms ask.
std::uint32_t alignment_of(const void* address) {
  constexpr std::uintptr_t kMost = 256;
  const auto value = reinterpret_cast<std::uintptr_t>(address) | kMost;
  return static_cast<std::uint32_t>(value & (~value + 1));
}

// What the algorithm for a matrix depends on.
struct Layout {
  ElementType type = ElementType::kFloat32;
  std::int64_t stride = 0, batch_stride = 0;
  bool is_transposed = false;
  std::uint32_t alignment = 0;
  auto operator<=>(const Layout&) const = default;
};

Layout layout_of(const DeviceMatrix& matrix) {
  return {matrix.type, matrix.stride, matrix.batch_stride, matrix.is_transposed, alignment_of(matrix.values)};
}

// And that for a product.
struct Key {
  std::int64_t m = 0, n = 0, k = 0, batch = 0;
  Layout a, b, c;
  std::uint32_t addend_alignment = 0;
  bool adds = false;
  auto operator<=>(const Key&) const = default;
};

Key key_of(const MatrixProduct& product) {
  const bool adds = product.addend.size != 0;
  return {.m = product.m,
          .n = product.n,
          .k = product.k,
          .batch = product.batch,
          .a = layout_of(product.a),
          .b = layout_of(product.b),
          .c = layout_of(product.c),
          .addend_alignment = alignment_of(adds ? product.addend.data : product.c.values),
          .adds = adds};
}

cudaDataType_t data_type(ElementType type) {
  return type == ElementType::kFloat32 ? CUDA_R_32F : CUDA_R_16BF;
}

class CublasLtProducts : public MatrixProducts {
 public:
  explicit CublasLtProducts(Precision precision)
      : library_(open_library()),
        f_(functions_of(library_.get())),
        workspace_(kWorkspaceBytes),
        float_compute_(precision == Precision::kTf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F) {
    check_status(f_.create(&handle_), "start");
  }

  ~CublasLtProducts() override {
    for (const auto& [key, made] : prepared_) destroy(made);
    f_.destroy(handle_);
  }

 private:
  // cuBLASLt's matrices are by columns, so that ours are their transposes: it computes c^T = b^T a^T.
  struct Prepared {
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t first = nullptr, second = nullptr, result = nullptr;
    cublasLtMatmulAlgo_t algorithm = {};
  };

  void destroy(const Prepared& made) const {
    f_.layout_destroy(made.first);
    f_.layout_destroy(made.second);
    f_.layout_destroy(made.result);
    f_.desc_destroy(made.operation);
  }

  // The transpose of a matrix [rows, columns] of ours, as it lies in memory.
  cublasLtMatrixLayout_t layout(const Layout& matrix, std::int64_t rows, std::int64_t columns,
                                std::int64_t batch) const {
    if (matrix.is_transposed) std::swap(rows, columns);
    cublasLtMatrixLayout_t made = nullptr;
    check_status(f_.layout_create(&made, data_type(matrix.type), static_cast<std::uint64_t>(columns),
                                  static_cast<std::uint64_t>(rows), matrix.stride),
                 "describe a matrix");
    const auto count = static_cast<std::int32_t>(batch);
    check_status(f_.layout_set(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count)), "describe a matrix");
    check_status(f_.layout_set(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &matrix.batch_stride,
                               sizeof(matrix.batch_stride)),
                 "describe a matrix");
    return made;
  }

  Prepared prepare(const Key& key) const {
    Prepared made;
    const cublasComputeType_t compute = key.a.type == ElementType::kFloat32 ? float_compute_ : CUBLAS_COMPUTE_32F;
    check_status(f_.desc_create(&made.operation, compute, CUDA_R_32F), "describe a product");
    const auto set_operation = [&](cublasLtMatmulDescAttributes_t which, bool is_transposed) {
      const cublasOperation_t operation = is_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
      check_status(f_.desc_set(made.operation, which, &operation, sizeof(operation)), "describe a product");
    };
    set_operation(CUBLASLT_MATMUL_DESC_TRANSA, key.b.is_transposed);
    set_operation(CUBLASLT_MATMUL_DESC_TRANSB, key.a.is_transposed);
    made.first = layout(key.b, key.k, key.n, key.batch);
    made.second = layout(key.a, key.m, key.k, key.batch);
    made.result = layout(key.c, key.m, key.n, key.batch);
    choose_algorithm(key, made);
    return made;
  }

  void choose_algorithm(const Key& key, Prepared& made) const {
    cublasLtMatmulPreference_t preference = nullptr;
    check_status(f_.preference_create(&preference), "choose an algorithm");
    const std::uint64_t bytes = kWorkspaceBytes;
    // Partial sums in the workspace are added in order; those added in place by whoever comes are left out.
    const std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasLtMatmulHeuristicResult_t found = {};
    int count = 0;
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    const auto set = [&](cublasLtMatmulPreferenceAttributes_t which, const auto& value) {
      if (status == CUBLAS_STATUS_SUCCESS) status = f_.preference_set(preference, which, &value, sizeof(value));
    };
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, bytes);
    set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions);
    // Unless it is told otherwise the library takes every matrix to begin at a multiple of 256 bytes.
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.b.alignment);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.a.alignment);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.addend_alignment);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.c.alignment);
    if (status == CUBLAS_STATUS_SUCCESS) {
      status = f_.heuristic(handle_, made.operation, made.first, made.second, made.result, made.result, preference, 1,
                            &found, &count);
    }
    f_.preference_destroy(preference);
    check_status(status, "choose an algorithm");
    if (count == 0) throw Error("cuBLASLt has no algorithm for a product");
    made.algorithm = found.algo;
  }

  void enqueue(cudaStream_t stream, const MatrixProduct& product) override {
    const Key key = key_of(product);
    auto at = prepared_.find(key);
    if (at == prepared_.end()) at = prepared_.emplace(key, prepare(key)).first;
    const Prepared& made = at->second;
    const float alpha = 1.0F;
    const float beta = key.adds ? 1.0F : 0.0F;
    void* const result = const_cast<void*>(product.c.values);  // DeviceMatrix is what is read and what is written
    check_status(f_.matmul(handle_, made.operation, &alpha, product.b.values, made.first, product.a.values, made.second,
                           &beta, key.adds ? product.addend.data : result, made.result, result, made.result,
                           &made.algorithm, workspace_.data(), kWorkspaceBytes, stream),
                 "multiply");
  }

  Library library_;
  Functions f_;
  DeviceBytes workspace_;
  cublasComputeType_t float_compute_;  // for float32 operands
  cublasLtHandle_t handle_ = nullptr;
  std::map<Key, Prepared> prepared_;
};

}  // namespace

std::unique_ptr<MatrixProducts> open_cublaslt(Precision precision) {
  return std::make_unique<CublasLtProducts>(precision);
}

std::string cublaslt_obstacle() {
  try {
    functions_of(open_library().get());
  } catch (const Error& error) {
    return error.message();
  }
  return {};
}

}  // namespace strider::cuda
