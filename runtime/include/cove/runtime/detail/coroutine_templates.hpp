#pragma once

// GCC 12 warns (-Wsubobject-linkage, on by default) when a coroutine template is given a type from
// an unnamed namespace, such as a user's lambda: it takes the coroutine's frame for a type of the
// header. These two stand around the library's coroutine templates that take what users give them.

#if defined(__GNUC__) && !defined(__clang__)
#define COVE_COROUTINE_TEMPLATES_BEGIN \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wsubobject-linkage\"")
#define COVE_COROUTINE_TEMPLATES_END _Pragma("GCC diagnostic pop")
#else
#define COVE_COROUTINE_TEMPLATES_BEGIN
#define COVE_COROUTINE_TEMPLATES_END
#endif
