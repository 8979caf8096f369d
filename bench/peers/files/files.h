#pragma once

#include "../measure.h"

// What the file programs in C have in common: the rows, and the files they work on.
//
//     PROGRAM FOLDER [FILE]     prints `name value` lines in ns, the median of several repetitions
//
// FOLDER is where it makes its files, and removes them. Every file fits in the page cache: what is
// measured is the way to it, not the disk.

enum {
  block_bytes = 4096,
  blocks = 256,                    // Of the file that is read and written.
  depth = 64,                      // Operations under way at once.
  copied_bytes = 64 * 1024 * 1024,
  chunk_bytes = 256 * 1024,        // What a copy moves at a time.
  stats = 20000,
};

extern char block_path[];  // A file of so many blocks.
extern char copy_from[];   // A file of `copied_bytes`.
extern char copy_to[];     // What it is copied to.

// Each does its work as often as it is told.
struct rows {
  void (*read_4k)(long operations);     // Reads of a block, `depth` under way.
  void (*write_4k)(long operations);    // Writes of a block, `depth` under way.
  void (*open_close)(long operations);  // Opens the block file and closes it, one after the other.
  void (*stat)(long operations);        // The block file's status, one after the other.
  void (*copy)(long mebibytes);         // From `copy_from` to `copy_to`; what it asks for is whole.
};

// Makes the files, measures what is not null, removes them. The value of main().
int measure_rows(int argc, char** argv, const struct rows* rows);
