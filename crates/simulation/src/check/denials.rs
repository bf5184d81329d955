//! Whether denials were right. Where one client is alone, no request is lost, no clock is wrong and no limit changes, a
//! take is denied only if some bucket did not hold what it asked for, or would not have after those before it.

use std::collections::BTreeMap;

use super::Violation;
use super::items::States;
use crate::history::{End, Event, History, Op, Part};

pub(super) fn check(history: &History, states: &States<'_>) -> Result<(), Violation> {
    let Some(spare_ms) = history.denials_hold_ms else { return Ok(()) };
    let mut called: BTreeMap<Op, (u64, &[Part])> = BTreeMap::new();
    for (at, event) in &history.events {
        match event {
            Event::Called { op, parts, .. } => {
                called.insert(*op, (*at, parts));
            }
            Event::Ended { op, end: End::Denied } => {
                let (from, parts) = called[op];
                if !parts.iter().any(|part| lacks(part, from.saturating_sub(spare_ms), at + spare_ms, states))
                {
                    return Err(Violation::new(
                        "I2",
                        format!("call {} was denied, although all was there", op.0),
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a bucket did not hold what a call asked of it, at some time from `from` to `to`.
fn lacks(part: &Part, from: u64, to: u64, states: &States<'_>) -> bool {
    part.limits.iter().zip(&part.amounts).any(|(limit, amount)| {
        if amount.get() > i64::try_from(limit.burst()).unwrap_or(i64::MAX) * 1_000 {
            return true;
        }
        let Some(states) = states.get(&(&part.key, limit.name())) else { return false };
        // Each state lasts until the next; a balance is lowest when its state begins, by the clock of who wrote it.
        let ends = states.iter().skip(1).map(|(began, _)| *began).chain([u64::MAX]);
        states.iter().zip(ends).any(|((began, bucket), end)| {
            *began <= to && end >= from && !bucket.holds(amount.get(), from.max(bucket.changed_at()))
        })
    })
}
