//! Many processes on one file. Each is this test binary again, told by its environment to be a [`worker`].

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use zae_limiter_core::{Level, Store, UsageQuery, Window};
use zae_limiter_store_embedded::{SqliteOptions, SqliteStore};

use crate::fixture::{Fixture, balances, clock, entity, level, take};

/// Where a worker finds the database, and where it says what it did.
const DIRECTORY: &str = "ZAE_TEST_WORKER_DIRECTORY";
/// Which worker it is.
const NUMBER: &str = "ZAE_TEST_WORKER_NUMBER";
/// How often it takes one token.
const TAKES: &str = "ZAE_TEST_WORKER_TAKES";

/// What every worker takes from: a bucket of its own, and one for all.
fn levels(number: usize, burst: usize) -> [Level; 2] {
    [level(&format!("worker-{number}"), "n=1M/d"), level("all", &format!("n={burst}/d"))]
}

/// The burst of the bucket for all, of which less than a token flows back while the clock stands still.
const BURST: usize = 300;

/// Waits for the start signal, opens the store, takes, and appends a byte to its file for each take admitted.
#[test]
fn worker() {
    let (Ok(directory), Ok(number), Ok(takes)) = (env::var(DIRECTORY), env::var(NUMBER), env::var(TAKES))
    else {
        return;
    };
    let (directory, number, takes): (PathBuf, usize, usize) =
        (directory.into(), number.parse().unwrap(), takes.parse().unwrap());
    let mut admitted =
        OpenOptions::new().create(true).append(true).open(admitted_by(&directory, number)).unwrap();
    wait_until(|| directory.join("start").exists());
    let store = SqliteStore::open(&directory.join("limits.db"), clock(), SqliteOptions::default()).unwrap();
    for _ in 0..takes {
        if take(&store, &levels(number, BURST.max(takes)), 1) {
            admitted.write_all(b".").unwrap();
        }
    }
}

fn admitted_by(directory: &Path, number: usize) -> PathBuf {
    directory.join(format!("admitted-{number}"))
}

/// How often worker `number` saw a take admitted, over all its lives.
fn admitted(fixture: &Fixture, number: usize) -> usize {
    fs::metadata(admitted_by(fixture.directory(), number))
        .map_or(0, |file| usize::try_from(file.len()).unwrap())
}

fn start(fixture: &Fixture, workers: usize, takes: usize) -> Vec<Child> {
    let start_one = |number: usize| {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "processes::worker"])
            .env(DIRECTORY, fixture.directory())
            .env(NUMBER, number.to_string())
            .env(TAKES, takes.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let workers = (0..workers).map(start_one).collect();
    fs::write(fixture.directory().join("start"), "").unwrap();
    workers
}

/// Time passes for other processes whether or not a clock is moved: this one looks again and again.
fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_mins(1), "waited for too long");
        thread::sleep(Duration::from_millis(1));
    }
}

fn finish(workers: Vec<Child>) {
    for worker in workers {
        let output = worker.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// Tokens and acquires counted for `id`.
fn counted(store: &SqliteStore, id: &str) -> (i64, i64) {
    let usage = pollster::block_on(store.usage(&UsageQuery::of(entity(id), Window::Hourly))).unwrap();
    usage.first().map_or((0, 0), |usage| (usage.counters["n"].whole_tokens(), usage.total_events))
}

fn assert_whole(fixture: &Fixture) {
    let check: String = fixture.raw().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn eight_processes_admit_exactly_the_burst() {
    let fixture = Fixture::new();
    finish(start(&fixture, 8, BURST / 4));
    assert_eq!((0..8).map(|number| admitted(&fixture, number)).sum::<usize>(), BURST);
    assert_eq!(balances(&fixture.open(), &levels(0, BURST)[1..]), [0]);
    assert_whole(&fixture);
}

#[test]
fn eighty_processes_make_one_new_file() {
    let fixture = Fixture::new();
    finish(start(&fixture, 80, 5));
    let each: Vec<usize> = (0..80).map(|number| admitted(&fixture, number)).collect();
    assert_eq!(each.iter().sum::<usize>(), BURST, "{each:?}");
    assert_whole(&fixture);
}

#[test]
fn killed_in_the_middle_of_load_nothing_is_lost_or_half_done() {
    const WORKERS: usize = 4;
    const TAKES: usize = 1_000_000;
    let fixture = Fixture::new();
    for life in 1..=3 {
        let before: Vec<usize> = (0..WORKERS).map(|number| admitted(&fixture, number)).collect();
        let workers = start(&fixture, WORKERS, TAKES);
        wait_until(|| (0..WORKERS).all(|number| admitted(&fixture, number) >= before[number] + 50));
        for mut worker in workers {
            worker.kill().unwrap();
            worker.wait().unwrap();
        }

        let store = fixture.open();
        let mut sum = (0, 0);
        for number in 0..WORKERS {
            let (tokens, acquires) = counted(&store, &format!("worker-{number}"));
            assert_eq!(tokens, acquires);
            // Each life may have ended between the take and the note of it.
            let seen = i64::try_from(admitted(&fixture, number)).unwrap();
            assert!((seen..=seen + life).contains(&tokens), "{tokens} counted, {seen} seen in {life} lives");
            let balance = balances(&store, &levels(number, TAKES));
            assert_eq!(balance[0], 1_000_000 - tokens, "usage and balance are one change");
            sum = (sum.0 + tokens, sum.1 + acquires);
        }
        assert_eq!(counted(&store, "all"), sum, "all levels are one change");
        assert_eq!(balances(&store, &levels(0, TAKES)[1..]), [1_000_000 - sum.0]);
        assert_whole(&fixture);
    }
}

/// A disk that refuses to grow: the size of files is limited for the worker, which then has to report that.
#[cfg(unix)]
#[test]
fn a_full_disk_is_unavailable_and_does_no_harm() {
    const FULL: &str = "ZAE_TEST_FULL_DISK";
    if let Ok(directory) = env::var(FULL) {
        let path = Path::new(&directory).join("limits.db");
        let store = SqliteStore::open(&path, clock(), SqliteOptions::default()).unwrap();
        let fails = |i| crate::fixture::try_take(&store, &[level(&format!("key-{i}"), "n=10/d")], 1).err();
        let error = (0..100_000).find_map(fails).expect("the log outgrows the limit");
        assert!(error.is_unavailable(), "{error}");
        return;
    }
    let fixture = Fixture::new();
    let output = Command::new("sh")
        .args(["-c", r#"trap '' XFSZ; ulimit -f 2048; exec "$0" --exact processes::a_full_disk_is_unavailable_and_does_no_harm"#])
        .arg(env::current_exe().unwrap())
        .env(FULL, fixture.directory())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_whole(&fixture);
    let store = fixture.open();
    let rows = fixture.number("SELECT count(*) FROM bucket");
    assert!(rows > 100, "{rows}");
    assert_eq!(balances(&store, &[level("key-0", "n=10/d")]), [9]);
    assert!(take(&store, &[level("key-0", "n=10/d")], 9));
}
