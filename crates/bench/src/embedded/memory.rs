//! One thread on 10,000 buckets in memory, beside `governor` and `throttlecrab`.

use std::error::Error;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use throttlecrab::AdaptiveStore;
use zae_limiter::{Block, LimitSet, Limiter};

use super::timed::{Side, Timer};
use super::{acquire, ids, wide};
use crate::report::{Report, Target};

pub(super) const KEYS: usize = 10_000;
const WIDE: u32 = 1_000_000_000;

pub(super) type Governor = DefaultKeyedRateLimiter<String>;
/// Behind a mutex, as an application with more than one thread has to hold it.
pub(super) type Crab = Mutex<throttlecrab::RateLimiter<AdaptiveStore>>;

pub(super) fn governor() -> Governor {
    RateLimiter::keyed(Quota::per_minute(NonZeroU32::new(WIDE).unwrap_or(NonZeroU32::MAX)))
}

pub(super) fn crab(keys: usize) -> Crab {
    Mutex::new(throttlecrab::RateLimiter::new(AdaptiveStore::with_capacity(keys)))
}

#[expect(clippy::disallowed_methods, reason = "an application passes the time in")]
pub(super) fn check_crab(crab: &Crab, id: &str) -> bool {
    let mut limiter = crab.lock().unwrap_or_else(PoisonError::into_inner);
    let (burst, period) = (i64::from(WIDE), 60);
    limiter.rate_limit(id, burst, burst, period, 1, SystemTime::now()).is_ok_and(|(allowed, _)| allowed)
}

/// Calls `call` with one id after the other, round and round.
pub(super) fn round<'a>(ids: &'a [String], mut call: impl FnMut(&'a String) + 'a) -> impl FnMut() + 'a {
    let mut next = ids.iter().cycle();
    move || {
        if let Some(id) = next.next() {
            call(id);
        }
    }
}

fn side<'a>(name: &'static str, mut call: impl FnMut() + 'a) -> Side<'a> {
    (name, Box::new(move |bencher| bencher.iter(&mut call)))
}

pub(super) fn run(timer: &mut Timer, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let ids = ids(KEYS);
    let limiter = Limiter::open("memory:").wait()?;
    let with_parents = Limiter::open("memory:").wait()?;
    for id in &ids {
        with_parents.create_entity(id).parent("project").wait()?;
    }
    let two_limits = Limiter::open("memory:").wait()?;
    let full = Limiter::open("memory:").wait()?;
    let (one, two, small): (LimitSet, LimitSet, LimitSet) = (wide(1)?, wide(2)?, "rpm=1/day".parse()?);
    let mut handles = Vec::new();
    for id in &ids {
        handles.push(limiter.acquire(id, "gpt-4", &one).prepare().wait()?);
        acquire(&full, id, &small, false);
    }
    let (governor, crab) = (governor(), crab(KEYS));
    let mut handle = handles.iter().cycle();

    let rounds = timer.compare(vec![
        side("governor", round(&ids, |id| drop(black_box(governor.check_key(id))))),
        side("throttlecrab", round(&ids, |id| _ = black_box(check_crab(&crab, id)))),
        side("1 limit", round(&ids, |id| _ = black_box(acquire(&limiter, id, &one, false)))),
        side("handle", move || {
            let lease = handle.next().map(|handle| handle.acquire(&[("rpm", 1)]).wait());
            if let Some(Ok(lease)) = lease {
                _ = black_box(lease.commit().wait());
            }
        }),
        side("2 limits", round(&ids, |id| _ = black_box(acquire(&two_limits, id, &two, false)))),
        side("2 limits, parent", round(&ids, |id| _ = black_box(acquire(&with_parents, id, &two, true)))),
        side("denied", round(&ids, |id| _ = black_box(acquire(&full, id, &small, false)))),
    ])?;
    for name in ["governor", "throttlecrab", "1 limit", "handle", "2 limits", "2 limits, parent", "denied"] {
        report.note(format!("memory, 10,000 keys: {name}"), rounds.nanos(name), "ns");
    }
    let ratios = [
        ("1 limit", "governor", 2.5),
        ("1 limit", "throttlecrab", 1.0),
        ("2 limits", "1 limit", 1.6),
        ("2 limits, parent", "1 limit", 3.0),
        ("denied", "1 limit", 1.0),
    ];
    for (name, other, most) in ratios {
        let what = format!("memory, 10,000 keys: {name}, of {other}");
        report.hold(what, rounds.ratio(name, other), "×", Target::AtMost(most));
    }
    Ok(())
}
