# Compiler and linker flags shared by every target of the product (outrigger_flags).
add_library(outrigger_flags INTERFACE)
target_compile_definitions(outrigger_flags INTERFACE _GNU_SOURCE OUTRIGGER_VERSION="${PROJECT_VERSION}")
target_include_directories(outrigger_flags INTERFACE ${CMAKE_SOURCE_DIR}/proxy)
target_compile_options(outrigger_flags INTERFACE
  -Wall -Wextra -Wshadow -Wformat=2 -Wconversion -Wno-sign-conversion -Wimplicit-fallthrough -Wstrict-prototypes
  -Wmissing-prototypes -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion
  -fstack-protector-strong -fstack-clash-protection -fno-delete-null-pointer-checks -fno-strict-overflow
  -fno-strict-aliasing -fPIE -fvisibility=hidden)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  target_compile_options(outrigger_flags INTERFACE -fcf-protection=full)
endif()
target_link_options(outrigger_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
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
  target_compile_definitions(outrigger_flags INTERFACE _FORTIFY_SOURCE=2)
  include(CheckIPOSupported)
  check_ipo_supported(RESULT outrigger_lto LANGUAGES C)
  if(outrigger_lto)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  endif()
endif()
