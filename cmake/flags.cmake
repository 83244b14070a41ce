# Compiler and linker flags shared by every target of the product (outrigger_flags).
add_library(outrigger_flags INTERFACE)
target_compile_definitions(outrigger_flags INTERFACE _GNU_SOURCE OUTRIGGER_VERSION="${PROJECT_VERSION}")
target_include_directories(outrigger_flags INTERFACE ${CMAKE_SOURCE_DIR}/proxy)
# The same bytes wherever it is built; the linker compiles too (LTO).
set(outrigger_folders -ffile-prefix-map=${CMAKE_BINARY_DIR}=build -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
target_link_options(outrigger_flags INTERFACE ${outrigger_folders})
target_compile_options(outrigger_flags INTERFACE
  -Wall -Wextra -Wshadow -Wformat=2 -Wconversion -Wno-sign-conversion -Wimplicit-fallthrough -Wstrict-prototypes
  -Wmissing-prototypes -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion
  -fstack-protector-strong -fstack-clash-protection -fno-delete-null-pointer-checks -fno-strict-overflow
  -fno-strict-aliasing -fPIE -fvisibility=hidden
  ${outrigger_folders})
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  target_compile_options(outrigger_flags INTERFACE -fcf-protection=full)
  target_link_options(outrigger_flags INTERFACE -Wl,-z,shstk) # the start files of some systems carry no mark
endif()
target_link_options(outrigger_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodlopen)

# Those that only some compilers know.
include(CheckCCompilerFlag)
foreach(flag -fstrict-flex-arrays=3 -fzero-init-padding-bits=all)
  string(MAKE_C_IDENTIFIER "has${flag}" known)
  check_c_compiler_flag(${flag} ${known})
  if(${known})
    target_compile_options(outrigger_flags INTERFACE ${flag})
  endif()
endforeach()
check_c_compiler_flag(-ftrivial-auto-var-init=zero has_auto_var_init)
if(OUTRIGGER_WERROR)
  target_compile_options(outrigger_flags INTERFACE -Werror)
endif()

if(OUTRIGGER_SANITIZE)
  target_compile_options(outrigger_flags INTERFACE
    -fsanitize=${OUTRIGGER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(outrigger_flags INTERFACE -fsanitize=${OUTRIGGER_SANITIZE})
endif()

set(CMAKE_C_FLAGS_RELEASE "-O3 -g1")
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT OUTRIGGER_SANITIZE)
  target_compile_definitions(outrigger_flags INTERFACE _FORTIFY_SOURCE=3)
  include(CheckIPOSupported)
  check_ipo_supported(RESULT outrigger_lto LANGUAGES C)
  if(outrigger_lto)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  endif()
endif()
