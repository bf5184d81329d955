//! Two threads on one bucket in memory; and how much of what is allowed they are given.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Bencher;
use zae_limiter::{Block, LimitSet, Limiter, Timestamp};

use super::memory::{check_crab, crab, governor};
use super::timed::{Side, Timer};
use super::{acquire, wide};
use crate::report::{Report, Target};

const THREADS: u64 = 2;

/// Times `call` from two threads at once, an operation being a call of either.
fn side<'a>(name: &'static str, call: impl Fn() + Sync + 'a) -> Side<'a> {
    let time = move |iterations: u64| {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| (0..iterations.div_ceil(THREADS)).for_each(|_| call()));
            }
        });
        started.elapsed()
    };
    (name, Box::new(move |bencher: &mut Bencher<'_>| bencher.iter_custom(&time)))
}

pub(super) fn run(timer: &mut Timer, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let (limiter, one, key) = (Limiter::open("memory:").wait()?, wide(1)?, "user-0000000".to_owned());
    let handle = limiter.acquire(&key, "gpt-4", &one).prepare().wait()?;
    let (governor, crab) = (governor(), crab(1));
    let rounds = timer.compare(vec![
        side("governor", || drop(black_box(governor.check_key(&key)))),
        side("throttlecrab", || _ = black_box(check_crab(&crab, &key))),
        side("by name", || _ = black_box(acquire(&limiter, &key, &one, false))),
        side("handle", || {
            if let Ok(lease) = handle.acquire(&[("rpm", 1)]).wait() {
                _ = black_box(lease.commit().wait());
            }
        }),
    ])?;
    for name in ["governor", "throttlecrab", "by name", "handle"] {
        report.note(format!("memory, 2 threads on a hot key: {name}"), rounds.nanos(name), "ns");
    }
    for name in ["by name", "handle"] {
        let what = format!("memory, 2 threads on a hot key: {name}, of throttlecrab");
        report.hold(what, rounds.ratio(name, "throttlecrab"), "×", Target::AtMost(1.0));
    }
    accuracy(timer.quick, report)
}

/// More is asked than the limit allows: what was admitted, of what was allowed.
#[expect(clippy::cast_precision_loss, reason = "a share")]
fn accuracy(quick: bool, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let limiter = Limiter::open("memory:").wait()?;
    let limits: LimitSet = "rpm=100k/s:burst=100k".parse()?;
    let time = Duration::from_millis(if quick { 200 } else { 2_000 });
    let begin = limiter.clock().now();
    let counted: Vec<(u64, u64, Timestamp)> = std::thread::scope(|scope| {
        let count = || {
            let (started, mut asked, mut admitted) = (Instant::now(), 0, 0);
            while started.elapsed() < time {
                asked += 1;
                admitted += u64::from(acquire(&limiter, "hot", &limits, false));
            }
            (asked, admitted, limiter.clock().now())
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(count)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let end = counted.iter().map(|(_, _, end)| *end).max().unwrap_or(begin);
    let allowed = 100_000.0 * (1.0 + end.since(begin).as_secs_f64());
    let asked: u64 = counted.iter().map(|(asked, _, _)| asked).sum();
    let admitted: u64 = counted.iter().map(|(_, admitted, _)| admitted).sum();
    let what = "memory, 2 threads on a hot key: admitted, of allowed";
    report.note("memory, 2 threads on a hot key: admitted, of asked", admitted as f64 / asked as f64, "");
    report.hold(what, admitted as f64 / allowed, "", Target::AtMost(1.0));
    report.hold(what, admitted as f64 / allowed, "", Target::AtLeast(0.999));
    Ok(())
}
