//! What a write means: the item that it makes of another. DynamoDB does this; here it is said once more, as a function,
//! for the simulation to run on and for the tests to hold the engines against.

use crate::item::{BucketItem, LimitItem};
use crate::plan::{BucketWrite, Expiry, Found, Step};

/// A write whose condition did not hold: the item is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConditionFailed;

/// The item after `write`, if its condition holds on `item`.
pub fn execute(item: Option<&BucketItem>, write: &BucketWrite) -> Result<BucketItem, ConditionFailed> {
    check(item.is_some() || write.may_create)?;
    let mut next = item.cloned().unwrap_or_default();
    let repeated = next.writers.get(&write.stamp.writer).is_some_and(|seen| *seen >= write.stamp.first);
    check(!repeated)?;
    next.writers.insert(write.stamp.writer, write.stamp.number);
    for (writer, number) in &write.forget {
        check(next.writers.remove(writer) == Some(*number))?;
    }
    next.ttl = match write.expiry {
        Expiry::Keep(least) => {
            check(item.is_some() && next.ttl >= least)?;
            next.ttl
        }
        Expiry::Raise(to) => {
            check(next.ttl <= to)?;
            to
        }
    };
    for limit_write in &write.limits {
        let limit = &limit_write.limit;
        let held = next.limits.get(limit.name());
        let same = held.filter(|held| held.limit == *limit).map(|held| held.full_at.scaled());
        let full_at = match &limit_write.step {
            Step::Busy { from, to, cost } => {
                let state = same.ok_or(ConditionFailed)?;
                check(state >= *from && state <= *to)?;
                Some(state + cost)
            }
            Step::Idle { before, after, found } => {
                check(holds(held, same, *found, |state| state < *before))?;
                Some(*after)
            }
            Step::Stay { to, found } => {
                check(holds(held, same, *found, |state| state <= *to))?;
                None
            }
            Step::Return { cost } => Some(same.ok_or(ConditionFailed)? - cost),
            Step::Swap { from_limit, from, after } => {
                check(held.is_some_and(|held| held.limit == *from_limit && held.full_at == *from))?;
                Some(after.scaled())
            }
            Step::Never => return Err(ConditionFailed),
        };
        if let Some(full_at) = full_at {
            let consumed = held.map(|held| held.consumed).unwrap_or_default() + limit_write.consumed;
            let full_at = zae_limiter_core::FullAt::from_scaled(full_at);
            next.limits.insert(limit.name().clone(), LimitItem { limit: limit.clone(), full_at, consumed });
        }
    }
    next.acquires += write.acquires;
    Ok(next)
}

/// Whether a limit is as a condition on a full bucket wants it: absent, or in a state that `is_full` says yes to.
fn holds(held: Option<&LimitItem>, same: Option<i128>, found: Found, is_full: impl Fn(i128) -> bool) -> bool {
    match found {
        Found::Absent => held.is_none(),
        Found::Present => same.is_some_and(is_full),
        Found::Unknown => held.is_none() || same.is_some_and(is_full),
    }
}

fn check(holds: bool) -> Result<(), ConditionFailed> {
    if holds { Ok(()) } else { Err(ConditionFailed) }
}
