// A program without Troupe that loads a library which has it inside. Usage: loads <library>.
#include <cstdio>
#include <dlfcn.h>

int main(int argc, char** argv) {
  void* const library = argc == 2 ? ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (library == nullptr) {
    const char* const why = ::dlerror();
    std::fprintf(stderr, "%s\n", why != nullptr ? why : "usage: loads <library>");
    return 1;
  }
  const auto sum = reinterpret_cast<int (*)(int, int)>(::dlsym(library, "sum_by_actor"));
  const int n = sum != nullptr ? sum(2, 40) : -1;
  std::printf("loads: %d\n", n);
  return n == 42 ? 0 : 1;
}
