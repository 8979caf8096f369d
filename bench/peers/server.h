// What the raw servers share: their command line, the listener, the ready line, and as much of HTTP
// as a plaintext benchmark needs. Nothing here is on the path that is measured, but for HTTP.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct server_options {
  int port;       // 0: the kernel chooses.
  int threads;    // At least 1.
  bool http;      // Else echo.
  size_t buffer;  // Bytes a read may take.
};

struct slice {
  const char* data;
  size_t size;
};

// Reads `{port} {threads} {proto} {buf}`, or says what it wants and ends the program.
struct server_options parse_arguments(int argc, char** argv);

// A listener on 127.0.0.1, which hands TCP_NODELAY on to what it accepts. `type` is or-ed into the
// socket's type, such as SOCK_NONBLOCK.
int listen_on(int port, int type);

// From here on SIGTERM ends the program with status 0. Prints `ready port=N` for whoever started it.
void announce(int listener);

// Ends the program with status 1 and the reason in errno.
_Noreturn void die(const char* what);

// Starts a thread that nobody joins; `stack` is its size, or 0 for the usual one.
void start_thread(void* (*run)(void*), void* argument, size_t stack);

// How many requests end in these bytes. A GET ends with an empty line; `matched` says how much of
// that line's mark the connection's earlier bytes ended in, and begins as 0.
size_t count_requests(unsigned char* matched, const char* data, size_t size);

// The bytes of so many responses.
size_t response_bytes(size_t responses);

// What to send next of `owed` bytes of responses. The last response always ends with the last byte
// owed, so the debt alone says where in a response to go on.
struct slice next_response_bytes(size_t owed);
