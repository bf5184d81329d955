//! The blocking face, on plain threads without any runtime.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use zae_limiter::{Block, Limits};

use crate::scripted::Fate;
use crate::setup::{limits, setup};

#[test]
fn i1_threads_share_a_bucket_without_admitting_too_much() {
    const THREADS: usize = 8;
    const ATTEMPTS: usize = 500;
    let (setup, n) = (setup(), limits("n=1000/day"));
    let (admitted, barrier) = (AtomicU64::new(0), Barrier::new(THREADS));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                barrier.wait();
                for attempt in 0..ATTEMPTS {
                    if let Ok(lease) = setup.limiter.acquire("hot", "r", &n).consume("n", 1).wait() {
                        // A third of the work fails.
                        if attempt % 3 == 0 {
                            lease.rollback().wait().unwrap();
                        } else {
                            lease.commit().wait().unwrap();
                            admitted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let admitted = admitted.into_inner();
    assert!(admitted <= 1_000, "{admitted}");
    assert_eq!(setup.left("hot", &n, "n"), 1_000 - i64::try_from(admitted).unwrap());
    assert_eq!(setup.acquires("hot"), i64::try_from(admitted).unwrap());
    while let Ok(lease) = setup.limiter.acquire("hot", "r", &n).consume("n", 1).wait() {
        lease.commit().wait().unwrap();
    }
    assert_eq!((setup.left("hot", &n, "n"), setup.consumed("hot", "n")), (0, 1_000), "and not too little");
}

#[test]
fn i3_threads_that_cascade_over_crossing_lines_neither_block_nor_lose_anything() {
    let (setup, n) = (setup(), limits("n=100000/day"));
    for (entity, parent) in [("a", "b"), ("b", "c"), ("x", "c")] {
        setup.limiter.create_entity(entity).parent(parent).wait().unwrap();
    }
    thread::scope(|scope| {
        for entity in ["a", "b", "x", "c"] {
            let (setup, n) = (&setup, &n);
            scope.spawn(move || {
                for _ in 0..1_000 {
                    let call = setup.limiter.acquire(entity, "r", n).consume("n", 1).cascade(true);
                    call.wait().unwrap().commit().wait().unwrap();
                }
            });
        }
    });
    for (entity, taken) in [("a", 1_000), ("b", 2_000), ("x", 1_000), ("c", 4_000)] {
        assert_eq!(setup.left(entity, &n, "n"), 100_000 - taken, "{entity}");
        assert_eq!(setup.acquires(entity), taken, "{entity}");
    }
}

#[test]
fn threads_that_write_limits_are_seen_by_those_that_read_them() {
    let setup = setup();
    let scope = zae_limiter::LimitScope::System;
    setup.limiter.set_limits(&scope, &limits("n=1/min")).wait().unwrap();
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                for _ in 0..2_000 {
                    setup.left("a", Limits::Stored, "n");
                }
            });
        }
        for capacity in 2..200 {
            setup.limiter.set_limits(&scope, &limits(&format!("n={capacity}/min"))).wait().unwrap();
            assert_eq!(
                setup.left("a", Limits::Stored, "n"),
                capacity,
                "what was written before is remembered"
            );
        }
    });
}

#[test]
fn a_store_that_has_to_be_waited_for_is_waited_for() {
    let (setup, n) = (setup(), limits("n=10/min"));
    for fate in [Fate::Hesitates, Fate::AnsweredLate] {
        setup.store.script(move |_| fate);
        let mut lease = setup.limiter.acquire("a", "r", &n).consume("n", 2).cascade(true).wait().unwrap();
        lease.adjust("n", 1).unwrap();
        lease.commit().wait().unwrap();
    }
    assert_eq!(setup.left("a", &n, "n"), 4);
}

#[test]
fn a_lease_moves_to_another_thread_and_ends_there() {
    let (setup, n) = (setup(), limits("n=10/min"));
    let committed = setup.take("a", &n, "n", 2);
    let dropped = setup.take("a", &n, "n", 3);
    thread::spawn(move || {
        committed.commit().wait().unwrap();
        drop(dropped);
    })
    .join()
    .unwrap();
    assert_eq!(setup.left("a", &n, "n"), 8);
}
