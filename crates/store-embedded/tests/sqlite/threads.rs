//! Threads of one process, and what happens while another process holds a lock.

use std::thread;
use std::time::{Duration, Instant};

use zae_limiter_core::{Store, StoreErrorKind};
use zae_limiter_store_embedded::SqliteOptions;

use crate::fixture::{Fixture, balances, level, resource, take, try_take};

#[test]
fn threads_and_stores_on_one_file_admit_exactly_the_burst() {
    let fixture = Fixture::new();
    let stores = [fixture.open(), fixture.open()];
    let levels = [level("key", "n=500/d"), level("org", "n=10k/d")];
    let admitted: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|i| {
                let (store, levels) = (&stores[i % 2], &levels);
                scope.spawn(move || (0..100).filter(|_| take(store, levels, 1)).count())
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(admitted, 500);
    assert_eq!(balances(&stores[0], &levels), [0, 9_500]);
}

#[test]
fn a_lock_that_is_held_too_long_makes_writes_unavailable_and_reads_go_on() {
    let fixture = Fixture::new();
    let mut options = SqliteOptions::default();
    options.busy_timeout = Duration::from_millis(30);
    let store = fixture.open_with(options.clone()).unwrap();
    let levels = [level("key", "n=10/d")];
    assert!(take(&store, &levels, 1));

    let other = fixture.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Two threads at once: neither waits for the other and then for itself.
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let error = try_take(&store, &levels, 1).unwrap_err();
                assert_eq!(error.kind(), StoreErrorKind::Unavailable);
                assert!(error.to_string().contains("limits.db"), "{error}");
            });
        }
    });
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(30), "{waited:?}");
    assert_eq!(balances(&store, &levels), [9]);
    assert_eq!(pollster::block_on(store.buckets(&resource("gpt-4"))).unwrap().0, levels);
    let another = fixture.open_with(options).unwrap();
    assert_eq!(balances(&another, &levels), [9]);

    other.execute_batch("ROLLBACK").unwrap();
    assert!(take(&store, &levels, 9));
    assert!(!take(&store, &levels, 1));
}

#[test]
fn a_long_read_holds_nobody_up_and_sees_one_instant() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let levels = [level("key", "n=1M/d")];
    assert!(take(&store, &levels, 1));
    let reader = fixture.raw();
    reader.execute_batch("BEGIN").unwrap();
    let seen = || reader.query_row("SELECT state FROM bucket", [], |row| row.get::<_, String>(0)).unwrap();
    let before = seen();
    // More than the log is allowed to grow by, so its checkpoint meets the reader.
    for _ in 0..5_000 {
        assert!(take(&store, &levels, 1));
    }
    assert_eq!(seen(), before);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(balances(&store, &levels), [1_000_000 - 5_001]);

    let log = fixture.path().with_extension("db-wal");
    for _ in 0..2_500 {
        assert!(take(&store, &levels, 1));
    }
    assert!(std::fs::metadata(log).unwrap().len() <= 16 << 20);
    assert_eq!(balances(&store, &levels), [1_000_000 - 7_501]);
}

#[test]
fn the_log_stays_short_while_several_are_always_writing() {
    let fixture = Fixture::new();
    let stores = [fixture.open(), fixture.open(), fixture.open()];
    let log = fixture.path().with_extension("db-wal");
    let longest = thread::scope(|scope| {
        let write = |store| {
            for _ in 0..10_000 {
                assert!(take(store, &[level("key", "n=1M/d")], 1));
            }
        };
        let writers: Vec<_> = stores.iter().map(|store| scope.spawn(move || write(store))).collect();
        let mut longest = 0;
        while !writers.iter().all(thread::ScopedJoinHandle::is_finished) {
            longest = longest.max(std::fs::metadata(&log).unwrap().len());
            thread::sleep(Duration::from_millis(1));
        }
        longest
    });
    // It is due every 2,000 pages, and may be missed now and then.
    assert!(longest <= 8_000 * 4_120, "{longest} bytes in the course of 30,000 writes of a page each");
}
