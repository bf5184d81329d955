//! What an acquire costs in heap allocations, counted on this thread.

#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests, also where they share code")]

use std::sync::Arc;

use allocation_counter::measure;
use zae_limiter::{Block, BucketHandle, LimitSet, Limiter, ManualClock, MemoryStore, Timestamp};

const ROUNDS: u64 = 10_000;

fn limiter() -> (Arc<ManualClock>, Limiter) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_700_000_000_000)));
    (clock.clone(), Limiter::builder().clock(clock.clone()).build(Arc::new(MemoryStore::new(clock))))
}

fn prepared(limits: &str, cascade: bool) -> (Arc<ManualClock>, Limiter, BucketHandle) {
    let (clock, limiter) = limiter();
    limiter.create_entity("project").wait().unwrap();
    limiter.create_entity("key").parent("project").wait().unwrap();
    let limits: LimitSet = limits.parse().unwrap();
    let bucket = limiter.acquire("key", "gpt-4", limits).cascade(cascade).prepare().wait().unwrap();
    // The first take makes the record. One of nothing would leave a full bucket, which needs none.
    bucket.acquire(&[("n", 1)]).wait().unwrap().commit().wait().unwrap();
    (clock, limiter, bucket)
}

/// Allocations of `ROUNDS` calls.
fn allocations(mut call: impl FnMut()) -> u64 {
    measure(|| (0..ROUNDS).for_each(|_| call())).count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), ROUNDS);
}

#[test]
fn acquire_and_commit_on_a_prepared_bucket_allocate_nothing() {
    for (limits, amounts) in [
        ("n=1M/s", &[("n", 1)][..]),
        ("n=1M/s, m=1M/min", &[("n", 1), ("m", 2)]),
        ("n=1M/s, a=1M/s, b=1M/s, c=1M/s", &[("n", 1), ("a", 1), ("b", 1), ("c", 1)]),
    ] {
        let (clock, _limiter, bucket) = prepared(limits, false);
        let count = allocations(|| {
            bucket.acquire(amounts).wait().unwrap().commit().wait().unwrap();
            clock.advance(std::time::Duration::from_millis(1));
        });
        assert_eq!(count, 0, "{limits}");
    }
}

#[test]
fn acquire_and_commit_with_a_parent_allocate_nothing() {
    let (_clock, _limiter, bucket) = prepared("n=1M/s, m=1M/s", true);
    let count = allocations(|| {
        bucket.acquire(&[("n", 1), ("m", 1)]).wait().unwrap().commit().wait().unwrap();
    });
    assert_eq!(count, 0);
}

/// Not promised: what the other ways cost. Shown by `cargo test --test allocations -- --nocapture report`.
#[test]
fn report() {
    let (_clock, limiter, bucket) = prepared("n=1M/s, m=1M/s", false);
    let limits: LimitSet = "n=1M/s, m=1M/s".parse().unwrap();
    let by_name = |cascade| {
        let call = limiter.acquire("key", "gpt-4", &limits).consume("n", 1).consume("m", 1).cascade(cascade);
        call.wait().unwrap().commit().wait().unwrap();
    };
    by_name(true);
    let counts = [
        ("acquire by name, commit", allocations(|| by_name(false))),
        ("acquire by name with a parent, commit", allocations(|| by_name(true))),
        (
            "acquire by long names, commit",
            allocations(|| {
                let call = limiter.acquire(
                    "organisation-17/project-4/key-0815",
                    "claude-sonnet-20250514-eu",
                    &limits,
                );
                call.consume("n", 1).wait().unwrap().commit().wait().unwrap();
            }),
        ),
        ("denial", allocations(|| drop(bucket.acquire(&[("n", 2_000_000)]).wait().unwrap_err()))),
        (
            "denial, read",
            allocations(|| {
                let denied = bucket.acquire(&[("n", 2_000_000)]).wait().unwrap_err();
                assert!(denied.exceeded().unwrap().retry_after().is_none());
            }),
        ),
        (
            "acquire, adjust, commit",
            allocations(|| {
                let mut lease = bucket.acquire(&[("n", 2)]).wait().unwrap();
                lease.adjust("n", -1).unwrap();
                lease.commit().wait().unwrap();
            }),
        ),
        (
            "acquire, rollback",
            allocations(|| bucket.acquire(&[("n", 1)]).wait().unwrap().rollback().wait().unwrap()),
        ),
        ("acquire, drop", allocations(|| drop(bucket.acquire(&[("n", 1)]).wait().unwrap()))),
    ];
    for (what, count) in counts {
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let each = count as f64 / ROUNDS as f64;
        println!("{each:6.2} allocations: {what}");
    }
}
