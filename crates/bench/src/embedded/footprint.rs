//! A million live buckets: what they take, and what an acquire costs among them.

use std::error::Error;
use std::hint::black_box;

use zae_limiter::{Block, Limiter};

use super::memory::{KEYS, governor, round};
use super::timed::Timer;
use super::{acquire, ids, keys, wide};
use crate::report::{Report, Target};

const MANY: usize = 1_000_000;

#[expect(clippy::cast_precision_loss, reason = "a size")]
pub(super) fn run(timer: &mut Timer, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let many = if timer.quick { MANY / 10 } else { MANY };
    let (few_ids, many_ids) = (ids(KEYS), ids(many));
    let (one, two) = (wide(1)?, wide(2)?);
    let two_limits = Limiter::open("memory:").wait()?;
    let used = allocation_counter::measure(|| {
        for id in &many_ids {
            acquire(&two_limits, id, &two, false);
        }
    });
    let each = used.bytes_current as f64 / many as f64;
    report.hold(format!("memory, {many} buckets of 2 limits: each"), each, "bytes", Target::AtMost(300.0));
    drop(two_limits);

    let (few, plenty) = (Limiter::open("memory:").wait()?, Limiter::open("memory:").wait()?);
    for (limiter, ids) in [(&few, &few_ids), (&plenty, &many_ids)] {
        for id in ids {
            acquire(limiter, id, &one, false);
        }
    }
    let mut few_calls = round(&few_ids, |id| _ = black_box(acquire(&few, id, &one, false)));
    let mut many_calls = round(&many_ids, |id| _ = black_box(acquire(&plenty, id, &one, false)));
    let (few_keys, many_keys) = (keys(&few_ids), keys(&many_ids));
    let (few_governed, many_governed) = (governor(), governor());
    for (governed, keys) in [(&few_governed, &few_keys), (&many_governed, &many_keys)] {
        for key in keys {
            drop(governed.check_key(key));
        }
    }
    let mut few_checks = round(&few_keys, |key| drop(black_box(few_governed.check_key(key))));
    let mut many_checks = round(&many_keys, |key| drop(black_box(many_governed.check_key(key))));
    let rounds = timer.compare(vec![
        ("governor, few", Box::new(move |bencher| bencher.iter(&mut few_checks))),
        ("governor, many", Box::new(move |bencher| bencher.iter(&mut many_checks))),
        ("few", Box::new(move |bencher| bencher.iter(&mut few_calls))),
        ("many", Box::new(move |bencher| bencher.iter(&mut many_calls))),
    ])?;
    report.note(format!("memory, {many} keys: governor"), rounds.nanos("governor, many"), "ns");
    report.note(format!("memory, {many} keys: 1 limit"), rounds.nanos("many"), "ns");
    // What the machine's memory costs is in both.
    let what = format!("memory: governor among {many} keys, of that among 10,000");
    report.note(what, rounds.ratio("governor, many", "governor, few"), "×");
    let what = format!("memory, {many} keys: 1 limit, of governor");
    report.note(what, rounds.ratio("many", "governor, many"), "×");
    let what = format!("memory: 1 limit among {many} keys, of that among 10,000");
    report.hold(what, rounds.ratio("many", "few"), "×", Target::AtMost(2.0));
    Ok(())
}
