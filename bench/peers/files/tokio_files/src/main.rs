//! The file rows with Tokio: `tokio::fs`, whose every call goes to the pool of blocking threads.
//! Positional transfers have no call of their own there, so they are `spawn_blocking`, as its
//! users write them.
//!
//!     tokio_files FOLDER [FILE]

use std::future::Future;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const REPETITIONS: usize = 7;
const BLOCK_BYTES: usize = 4096;
const BLOCKS: usize = 256;
const DEPTH: usize = 64;
const COPIED_BYTES: usize = 64 << 20;
const CHUNK_BYTES: usize = 256 << 10;
const STATS: usize = 20_000;

struct Files {
    blocks: PathBuf,
    from: PathBuf,
    to: PathBuf,
}

impl Files {
    fn create(folder: &str) -> Files {
        let make = |name: &str, bytes: usize| {
            let path = PathBuf::from(folder).join(format!("{}.{}", name, std::process::id()));
            std::fs::write(&path, vec![0; bytes]).expect("create a file");
            path
        };
        Files {
            blocks: make("blocks", BLOCKS * BLOCK_BYTES),
            from: make("from", COPIED_BYTES),
            to: make("to", 0),
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in [&self.blocks, &self.from, &self.to] {
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn measure<F>(out: &mut dyn Write, name: &str, operations: usize, run: impl Fn(usize) -> F)
where
    F: Future<Output = ()>,
{
    run(operations / 8).await;
    let mut results = Vec::new();
    for _ in 0..REPETITIONS {
        let start = Instant::now();
        run(operations).await;
        results.push(start.elapsed().as_nanos() as f64 / operations as f64);
    }
    results.sort_by(f64::total_cmp);
    writeln!(out, "{} {:.2}", name, results[REPETITIONS / 2]).expect("write a line");
}

async fn transfers(path: &PathBuf, operations: usize, writes: bool) {
    let file = std::fs::OpenOptions::new()
        .read(!writes)
        .write(writes)
        .open(path)
        .expect("open");
    let file = Arc::new(file);
    let begun = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..DEPTH {
        let file = file.clone();
        let begun = begun.clone();
        tasks.push(tokio::spawn(async move {
            let mut block = vec![0; BLOCK_BYTES];
            loop {
                let number = begun.fetch_add(1, Ordering::Relaxed);
                if number >= operations {
                    return;
                }
                let file = file.clone();
                let offset = (number % BLOCKS * BLOCK_BYTES) as u64;
                let moved = tokio::task::spawn_blocking(move || {
                    if writes {
                        file.write_all_at(&block, offset).expect("write");
                    } else {
                        file.read_exact_at(&mut block, offset).expect("read");
                    }
                    block
                });
                block = moved.await.expect("a transfer");
            }
        }));
    }
    for task in tasks {
        task.await.expect("a task");
    }
}

async fn open_close(path: &PathBuf, operations: usize) {
    for _ in 0..operations {
        drop(tokio::fs::File::open(path).await.expect("open"));
    }
}

async fn stat_each(path: &PathBuf, operations: usize) {
    for _ in 0..operations {
        tokio::fs::metadata(path).await.expect("stat");
    }
}

async fn copy(files: &Files, mebibytes: usize) {
    let mut from = tokio::fs::File::open(&files.from).await.expect("open");
    let mut to = tokio::fs::File::create(&files.to).await.expect("open");
    let mut chunk = vec![0; CHUNK_BYTES];
    for _ in 0..(mebibytes << 20) / CHUNK_BYTES {
        from.read_exact(&mut chunk).await.expect("read");
        to.write_all(&chunk).await.expect("write");
    }
    to.flush().await.expect("flush");
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() < 2 || arguments.len() > 3 {
        eprintln!("usage: tokio_files FOLDER [FILE]");
        std::process::exit(2);
    }
    let mut out: Box<dyn Write> = match arguments.get(2) {
        Some(path) => Box::new(std::fs::File::create(path).expect("create the output")),
        None => Box::new(std::io::stdout()),
    };
    let files = Files::create(&arguments[1]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let out = out.as_mut();
        let blocks = &files.blocks;
        measure(out, "file_read_4k_d64", 20_000, |n| transfers(blocks, n, false)).await;
        measure(out, "file_write_4k_d64", 20_000, |n| transfers(blocks, n, true)).await;
        measure(out, "file_open_close", 20_000, |n| open_close(blocks, n)).await;
        measure(out, "file_stat", STATS, |n| stat_each(blocks, n)).await;
        measure(out, "file_copy_mib", COPIED_BYTES >> 20, |n| copy(&files, n)).await;
    });
}
