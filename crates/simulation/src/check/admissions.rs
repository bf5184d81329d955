//! What callers were told they may consume, in every window: nothing else is looked at.

use std::collections::BTreeMap;

use zae_limiter_core::{Limit, LimitName};
use zae_limiter_store_dynamodb::plan::Kind;
use zae_limiter_store_dynamodb::table::BucketKey;

use super::Violation;
use crate::history::{End, Event, History, Op, Part};
use crate::model::{burst, parts, per_ms};

/// What one limit of one bucket admitted and got back.
struct Limited<'a> {
    limit: &'a Limit,
    /// What fits, of all parameters that anyone knew.
    burst: i128,
    /// What flows in during one ms, of all parameters that anyone knew.
    per_ms: i128,
    /// Admitted takes: from call to answer, and how much.
    takes: Vec<(u64, u64, i128)>,
    /// Returns, and takes that may have been returned: from when to when, and how much.
    returns: Vec<(u64, u64, i128)>,
}

pub(super) fn check(history: &History) -> Result<(), Violation> {
    for ((key, _), limited) in &mut collect(history) {
        limited
            .check(history.skew_ms)
            .map_err(|what| Violation::new("I1", format!("{what} on {} of {key}", limited.limit)))?;
    }
    Ok(())
}

fn collect(history: &History) -> BTreeMap<(&BucketKey, &LimitName), Limited<'_>> {
    let mut called: BTreeMap<Op, (u64, Kind, &[Part])> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for (at, event) in &history.events {
        match event {
            Event::Called { op, kind, parts, .. } => {
                called.insert(*op, (*at, *kind, parts));
            }
            Event::Ended { op, end } => {
                if let Some(call) = called.remove(op) {
                    note(&mut all, call, Some((*at, *end)));
                }
            }
            _ => {}
        }
    }
    // The calls of clients that crashed have no end.
    for call in called.into_values() {
        note(&mut all, call, None);
    }
    all
}

fn note<'a>(
    all: &mut BTreeMap<(&'a BucketKey, &'a LimitName), Limited<'a>>,
    (from, kind, concerned): (u64, Kind, &'a [Part]),
    ended: Option<(u64, End)>,
) {
    for part in concerned {
        for (limit, amount) in part.limits.iter().zip(&part.amounts) {
            let limited = all.entry((&part.key, limit.name())).or_insert_with(|| Limited {
                limit,
                burst: 0,
                per_ms: 0,
                takes: Vec::new(),
                returns: Vec::new(),
            });
            limited.burst = limited.burst.max(burst(limit));
            limited.per_ms = limited.per_ms.max(per_ms(limit));
            let moved = parts(amount.get());
            match (kind, ended) {
                (Kind::Take, Some((to, End::Done))) => limited.takes.push((from, to, moved)),
                (Kind::Apply, Some((to, End::Done))) if moved < 0 => limited.returns.push((from, to, -moved)),
                // Whatever became of it may come back any time from now.
                (Kind::Take, _) => limited.returns.push((from, u64::MAX, moved)),
                (Kind::Apply, _) if moved < 0 => limited.returns.push((from, u64::MAX, -moved)),
                (Kind::Apply, _) => {}
            }
        }
    }
}

impl Limited<'_> {
    /// In every window, what was admitted for certain, less what may have come back, fits in the burst and the refill.
    fn check(&mut self, skew_ms: u64) -> Result<(), String> {
        self.takes.sort_unstable_by_key(|(_, to, _)| *to);
        self.returns.sort_unstable_by_key(|(from, _, _)| *from);
        let begins: Vec<_> = self.takes.iter().map(|(from, _, _)| *from).collect();
        for begin in begins {
            let mut admitted = 0;
            let mut returns = self.returns.iter().filter(|(_, to, _)| *to >= begin).peekable();
            for (_, end, amount) in self.takes.iter().filter(|(from, _, _)| *from >= begin) {
                admitted += amount;
                while let Some((_, _, returned)) = returns.next_if(|(from, _, _)| from <= end) {
                    admitted -= returned;
                }
                let time = i128::from(end - begin + 2 * skew_ms);
                if admitted > self.burst + self.per_ms * time {
                    return Err(format!("too much was admitted from {begin} to {end}"));
                }
            }
        }
        Ok(())
    }
}
