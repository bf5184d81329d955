//! scratch
use governor::{Quota, RateLimiter};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};
use zae_limiter::{Block, LimitSet, Limiter};

fn time(name: &str, n: usize, mut f: impl FnMut(usize)) {
    for i in 0..n / 2 {
        f(i);
    }
    let t = Instant::now();
    for i in 0..n {
        f(i);
    }
    println!("{name:40} {:8.1} ns", t.elapsed().as_nanos() as f64 / n as f64);
}
fn threads(name: &str, n: usize, f: impl Fn(usize) + Sync) {
    let t = Instant::now();
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                for i in 0..n {
                    f(i)
                }
            });
        }
    });
    println!("{name:40} {:8.1} ns (2 threads, per op)", t.elapsed().as_nanos() as f64 / (2 * n) as f64);
}
fn main() {
    for keys in [10_000usize, 1_000_000] {
        let ids: Vec<String> = (0..keys).map(|i| format!("user-{:07}", (i * 7919) % keys)).collect();
        let n = 2_000_000;
        let gov =
            RateLimiter::<String, _, _, _>::keyed(Quota::per_minute(NonZeroU32::new(1_000_000_000).unwrap()));
        time(&format!("governor {keys}"), n, |i| {
            black_box(gov.check_key(&ids[i % keys]).is_ok());
        });
        let crab =
            Mutex::new(throttlecrab::RateLimiter::new(throttlecrab::AdaptiveStore::with_capacity(keys)));
        time(&format!("throttlecrab {keys}"), n, |i| {
            black_box(
                crab.lock()
                    .unwrap()
                    .rate_limit(&ids[i % keys], 1_000_000_000, 1_000_000_000, 60, 1, SystemTime::now())
                    .unwrap()
                    .0,
            );
        });
        let limiter = Limiter::open("memory:").wait().unwrap();
        let one: LimitSet = "rpm=1000M/min".parse().unwrap();
        let two: LimitSet = "rpm=1000M/min,tpm=100000M/min".parse().unwrap();
        time(&format!("by name, 1 limit {keys}"), n, |i| {
            limiter
                .acquire(&ids[i % keys], "gpt-4", &one)
                .consume("rpm", 1)
                .wait()
                .unwrap()
                .commit()
                .wait()
                .unwrap();
        });
        if keys == 10_000 {
            let handles: Vec<_> =
                ids.iter().map(|id| limiter.acquire(id, "gpt-4", &one).prepare().wait().unwrap()).collect();
            time(&format!("handle, 1 limit {keys}"), n, |i| {
                handles[i % keys].acquire(&[("rpm", 1)]).wait().unwrap().commit().wait().unwrap();
            });
            time(&format!("by name, 2 limits {keys}"), n, |i| {
                limiter
                    .acquire(&ids[i % keys], "gpt-5", &two)
                    .consume("rpm", 1)
                    .consume("tpm", 100)
                    .wait()
                    .unwrap()
                    .commit()
                    .wait()
                    .unwrap();
            });
            for i in 0..100 {
                limiter.create_entity(&format!("p{i}")).wait().unwrap();
            }
            for (i, id) in ids.iter().enumerate() {
                limiter.create_entity(id).parent(&format!("p{}", i % 100)).wait().unwrap();
            }
            time(&format!("by name, 2 limits+parent {keys}"), n, |i| {
                limiter
                    .acquire(&ids[i % keys], "gpt-6", &two)
                    .cascade(true)
                    .consume("rpm", 1)
                    .consume("tpm", 100)
                    .wait()
                    .unwrap()
                    .commit()
                    .wait()
                    .unwrap();
            });
            let small: LimitSet = "rpm=1/day".parse().unwrap();
            time(&format!("by name, denied {keys}"), n, |i| {
                black_box(
                    limiter
                        .acquire(&ids[i % keys], "gpt-7", &small)
                        .consume("rpm", 1)
                        .wait()
                        .map(|l| l.commit().wait())
                        .is_ok(),
                );
            });
        }
        threads("governor hot", n, |_| {
            black_box(gov.check_key(&ids[0]).is_ok());
        });
        threads("throttlecrab hot", n, |_| {
            black_box(
                crab.lock()
                    .unwrap()
                    .rate_limit(&ids[0], 1_000_000_000, 1_000_000_000, 60, 1, SystemTime::now())
                    .unwrap()
                    .0,
            );
        });
        threads("by name hot", n, |_| {
            limiter
                .acquire(&ids[0], "gpt-4", &one)
                .consume("rpm", 1)
                .wait()
                .unwrap()
                .commit()
                .wait()
                .unwrap();
        });
        let handle = limiter.acquire(&ids[0], "gpt-4", &one).prepare().wait().unwrap();
        threads("handle hot", n, |_| {
            handle.acquire(&[("rpm", 1)]).wait().unwrap().commit().wait().unwrap();
        });
    }
    drop(Arc::new(()));
}
