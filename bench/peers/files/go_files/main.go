// The file rows in Go: a goroutine blocks in the system call, and the runtime lends another thread
// to the rest when it lasts.
//
//	go_files FOLDER [FILE]
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

const (
	repetitions = 7
	blockBytes  = 4096
	blocks      = 256
	depth       = 64
	copiedBytes = 64 << 20
	chunkBytes  = 256 << 10
	stats       = 20000
)

var blockPath, copyFrom, copyTo string

func check(err error) {
	if err != nil {
		removeFiles()
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func removeFiles() {
	os.Remove(blockPath)
	os.Remove(copyFrom)
	os.Remove(copyTo)
}

func create(folder, name string, bytes int) string {
	path := filepath.Join(folder, fmt.Sprintf("%s.%d", name, os.Getpid()))
	check(os.WriteFile(path, make([]byte, bytes), 0o600))
	return path
}

func measure(output io.Writer, name string, operations int, run func(int)) {
	run(operations / 8)
	results := make([]float64, repetitions)
	for i := range results {
		start := time.Now()
		run(operations)
		results[i] = float64(time.Since(start).Nanoseconds()) / float64(operations)
	}
	sort.Float64s(results)
	fmt.Fprintf(output, "%s %.2f\n", name, results[repetitions/2])
}

func transfers(flags, operations int, move func(*os.File, []byte, int64) (int, error)) {
	file, err := os.OpenFile(blockPath, flags, 0)
	check(err)
	var begun atomic.Int64
	var all sync.WaitGroup
	for range [depth]struct{}{} {
		all.Add(1)
		go func() {
			defer all.Done()
			block := make([]byte, blockBytes)
			for i := begun.Add(1) - 1; i < int64(operations); i = begun.Add(1) - 1 {
				_, err := move(file, block, i%blocks*blockBytes)
				check(err)
			}
		}()
	}
	all.Wait()
	check(file.Close())
}

func read4k(operations int)  { transfers(os.O_RDONLY, operations, (*os.File).ReadAt) }
func write4k(operations int) { transfers(os.O_WRONLY, operations, (*os.File).WriteAt) }

func openClose(operations int) {
	for i := 0; i < operations; i++ {
		file, err := os.Open(blockPath)
		check(err)
		check(file.Close())
	}
}

func statEach(operations int) {
	for i := 0; i < operations; i++ {
		_, err := os.Stat(blockPath)
		check(err)
	}
}

// By read and write, as all others do; io.Copy would ask the kernel to do it.
func copyChunks(mebibytes int) {
	from, err := os.Open(copyFrom)
	check(err)
	to, err := os.OpenFile(copyTo, os.O_WRONLY|os.O_TRUNC, 0)
	check(err)
	chunk := make([]byte, chunkBytes)
	for left := mebibytes << 20; left > 0; left -= chunkBytes {
		_, err := io.ReadFull(from, chunk)
		check(err)
		_, err = to.Write(chunk)
		check(err)
	}
	check(from.Close())
	check(to.Close())
}

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: go_files FOLDER [FILE]")
		os.Exit(2)
	}
	output := io.Writer(os.Stdout)
	if len(os.Args) == 3 {
		file, err := os.Create(os.Args[2])
		check(err)
		defer file.Close()
		output = file
	}
	blockPath = create(os.Args[1], "blocks", blocks*blockBytes)
	copyFrom = create(os.Args[1], "from", copiedBytes)
	copyTo = create(os.Args[1], "to", 0)
	defer removeFiles()
	measure(output, "file_read_4k_d64", 100000, read4k)
	measure(output, "file_write_4k_d64", 50000, write4k)
	measure(output, "file_open_close", 20000, openClose)
	measure(output, "file_stat", stats, statEach)
	measure(output, "file_copy_mib", copiedBytes>>20, copyChunks)
}
