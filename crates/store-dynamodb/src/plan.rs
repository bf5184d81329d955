//! Planning a write: from what is asked and what is known of the item to one conditional update.
//!
//! All of it is a pure function. The `max` of the bucket arithmetic becomes a choice between two conditions, each exact
//! without knowing the exact state: *busy*, the bucket is not full and the state moves on by the cost; and *idle*, it is
//! full and the state starts from now. A wrong choice, a denial and a changed limit all surface as the one condition
//! that failed, whose answer brings the exact item to plan from again.

use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;
use zae_limiter_core::{FullAt, Level, Limit, LimitName, Millitokens, Timestamp};

use crate::item::{BucketItem, Known, Writer};

/// Entries of other writers that an item keeps before they are swept, see [`BucketWrite::forget`].
const WRITERS_KEPT: usize = 8;
/// After this time no write of a process can still be under way: its entry may go. In ms.
const WRITER_FORGOTTEN_AFTER_MS: u64 = 10 * 60 * 1000;
/// Expiry times are rounded up to a multiple of this many seconds, so that most writes leave them alone.
const TTL_STEP_S: u64 = 3_600;

/// Which write of which process: what a repetition is recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The process.
    pub writer: Writer,
    /// Rises with every write of the process: see [`Stamps`].
    pub number: u64,
}

/// Gives each write of a process its stamp.
#[derive(Debug)]
pub struct Stamps {
    writer: Writer,
    last: AtomicU64,
}

impl Stamps {
    /// Stamps of `writer`.
    pub const fn new(writer: Writer) -> Self {
        Self { writer, last: AtomicU64::new(0) }
    }

    /// The next stamp. Its number is the time in µs, or one more than the last: so an entry that a process has left on
    /// an item tells how old it is.
    pub fn next(&self, now: Timestamp) -> Stamp {
        let next = |last: u64| (last + 1).max(now.as_millis() * 1000);
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        let (Ok(last) | Err(last)) = last;
        Stamp { writer: self.writer, number: next(last) }
    }
}

/// One conditional update of one item: it applies as a whole, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketWrite {
    /// One step for each limit concerned.
    pub limits: SmallVec<[LimitWrite; 4]>,
    /// Acquires to count.
    pub acquires: i64,
    /// What becomes of the expiry time.
    pub expiry: Expiry,
    /// Refused if the item has seen this number, or a later one, of its writer.
    pub stamp: Stamp,
    /// Entries of writers that are removed, if they are still these.
    pub forget: Vec<(Writer, u64)>,
    /// Whether the item may be new, so that its index keys are written too.
    pub may_create: bool,
}

/// What a write does to one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitWrite {
    /// The parameters that all numbers are scaled by; the item has to have the same, or none for this limit.
    pub limit: Limit,
    /// Added to the net consumption.
    pub consumed: Millitokens,
    /// The condition on the state, and the new state.
    pub step: Step,
}

/// The condition on a limit's state, and what it becomes. Numbers are on the scale of the limit's [`FullAt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// If the state is at least `from` (the bucket is not full) and at most `to` (it holds enough): moves on by `cost`.
    Busy {
        /// Now.
        from: i128,
        /// Now, and the burst, less the cost; `None` for a charge, which may leave debt.
        to: Option<i128>,
        /// What is taken.
        cost: i128,
    },
    /// If there is no state, or it is below `before` (the bucket is full): becomes `after`.
    Idle {
        /// Now.
        before: i128,
        /// Now, and the cost.
        after: i128,
        /// What the condition may take for granted.
        found: Found,
    },
    /// If there is no state, or it is at most `to` (the bucket is not in debt): stays.
    Stay {
        /// Now, and the burst.
        to: i128,
    },
    /// If there is a state: moves back by `cost`.
    Return {
        /// What is returned.
        cost: i128,
    },
    /// If the state and the parameters are exactly these: becomes `after`.
    Swap {
        /// The parameters found.
        from_limit: Limit,
        /// The state found, on their scale.
        from: FullAt,
        /// The state to be, on the scale of the new parameters.
        after: FullAt,
    },
}

/// What is known of a limit that is taken to be full. The condition is as narrow as that, since DynamoDB bounds the
/// operators of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing: it may be there or not.
    Unknown,
    /// It was not there.
    Absent,
    /// It was there.
    Present,
}

/// What becomes of the expiry time, which never comes before the bucket is full (invariant I8). It never moves back
/// either, so that what one process knows of it stays true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Stays, whatever it is: the write brings the bucket no further from full.
    Stay,
    /// Stays; refused if it is earlier than this, in s.
    Keep(u64),
    /// Becomes this, in s; refused if it is later already, for then somebody had a reason.
    Raise(u64),
    /// Moves on by this many s: as far as debt may move the state.
    Extend {
        /// Refused if it is earlier than this, in s.
        from: u64,
        /// By so many s.
        by: u64,
    },
}

/// Whether a write may leave debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A take: only what the bucket holds.
    Take,
    /// Signed amounts, applied unconditionally.
    Apply,
}

/// What is asked of an item.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The bucket and its limits.
    pub level: &'a Level,
    /// One amount for each limit. None negative in a take.
    pub amounts: &'a [Millitokens],
    /// Acquires to count.
    pub acquires: i64,
    /// Whether it may leave debt.
    pub kind: Kind,
}

/// Plans the write for `asked`, from what is known of the item.
///
/// `likely_busy` says how a limit was found lately, for those whose known state is past: other processes may have moved
/// it since.
pub fn plan(
    asked: Asked<'_>,
    known: Option<&Known>,
    likely_busy: impl Fn(&LimitName) -> bool,
    now: Timestamp,
    stamp: Stamp,
) -> BucketWrite {
    let item = known.and_then(|known| known.item.as_ref());
    let mut limits = SmallVec::new();
    for (limit, amount) in asked.level.limits.iter().zip(asked.amounts) {
        if asked.kind == Kind::Apply && amount.is_zero() {
            continue;
        }
        let step = match item.and_then(|item| item.limits.get(limit.name())) {
            Some(held) if held.limit != *limit => {
                let from = held.full_at;
                let carried = held.limit.rate().rescaled(from, limit.rate(), now);
                if asked.kind == Kind::Take && limit.rate().take(carried, *amount, now).is_err() {
                    // A swap has no bound of its own. This fails on the other limit, and the answer tells the state.
                    step(Kind::Take, limit, *amount, now, true, Found::Present)
                } else {
                    let after = limit.rate().apply(carried, *amount, now);
                    Step::Swap { from_limit: held.limit.clone(), from, after }
                }
            }
            Some(held) => {
                let busy = held.full_at.scaled() >= limit.rate().scaled_now(now) || likely_busy(limit.name());
                step(asked.kind, limit, *amount, now, busy, Found::Present)
            }
            None if known.is_some() => step(asked.kind, limit, *amount, now, false, Found::Absent),
            None => step(asked.kind, limit, *amount, now, likely_busy(limit.name()), Found::Unknown),
        };
        limits.push(LimitWrite { limit: limit.clone(), consumed: *amount, step });
    }
    let may_create = item.is_none() && limits.iter().all(LimitWrite::may_create);
    BucketWrite {
        expiry: expiry(asked, &limits, item, may_create, now),
        limits,
        acquires: asked.acquires,
        stamp,
        forget: item.map(|item| stale_writers(item, stamp.writer, now)).unwrap_or_default(),
        may_create,
    }
}

impl LimitWrite {
    fn may_create(&self) -> bool {
        matches!(self.step, Step::Idle { .. } | Step::Stay { .. })
    }
}

fn step(kind: Kind, limit: &Limit, amount: Millitokens, now: Timestamp, busy: bool, found: Found) -> Step {
    let rate = limit.rate();
    let (scaled_now, cost) = (rate.scaled_now(now), rate.scaled_cost(amount));
    let full = scaled_now + rate.scaled_burst();
    let idle = |after: i128| Step::Idle { before: scaled_now, after: after.min(rate.scaled_max()), found };
    match (kind, amount.get()) {
        (Kind::Take, 0) => Step::Stay { to: full },
        // A return to a limit that the item has not is a return to a full bucket: it changes the usage only.
        (_, ..0) if found == Found::Absent => idle(scaled_now),
        (_, ..0) => Step::Return { cost: -cost },
        (Kind::Take, _) if busy => Step::Busy { from: scaled_now, to: Some(full - cost), cost },
        (Kind::Apply, _) if busy => Step::Busy { from: scaled_now, to: None, cost },
        _ => idle(scaled_now + cost),
    }
}

fn expiry(
    asked: Asked<'_>,
    writes: &[LimitWrite],
    item: Option<&BucketItem>,
    may_create: bool,
    now: Timestamp,
) -> Expiry {
    let now_s = now.as_millis().div_ceil(1000);
    let ttl = item.map(|item| item.ttl);
    let at_least = |needed: u64| match ttl {
        Some(ttl) if ttl >= needed => Expiry::Keep(needed),
        _ => Expiry::Raise(rounded_up(needed)),
    };
    if asked.kind == Kind::Take {
        // A take leaves each state at most one burst ahead of now.
        let fill = writes.iter().map(|write| seconds(&write.limit, write.limit.rate().scaled_burst()));
        return at_least(now_s.saturating_add(fill.max().unwrap_or(0)));
    }
    // How late a state that this write sets may be full, and how far it moves one that it does not know.
    let (mut full_at, mut moves) = (0, 0);
    for write in writes {
        let rate = write.limit.rate();
        match &write.step {
            Step::Busy { cost, .. } => moves = moves.max(seconds(&write.limit, *cost).saturating_add(1)),
            Step::Idle { after, .. } => full_at = full_at.max(seconds(&write.limit, *after)),
            Step::Swap { after, .. } => full_at = full_at.max(rate.full_at_ms(*after).div_ceil(1000)),
            Step::Stay { .. } | Step::Return { .. } => {}
        }
    }
    match (full_at, moves) {
        (0, 0) => Expiry::Stay,
        (_, 0) if may_create || full_at > now_s => at_least(full_at),
        (_, 0) => Expiry::Stay,
        _ => {
            // A state that moves was not full, so the expiry lies ahead of now if nothing more is known of it.
            let from = full_at.max(now_s);
            let known = ttl.unwrap_or(now_s).min(from);
            Expiry::Extend { from: known, by: moves.saturating_add(from - known) }
        }
    }
}

/// The time that a distance on the scale of `limit` stands for, in whole seconds rounded up.
fn seconds(limit: &Limit, scaled: i128) -> u64 {
    let per_second = limit.rate().scaled_now(Timestamp::from_millis(1000)).unsigned_abs();
    u64::try_from(scaled.max(0).unsigned_abs().div_ceil(per_second)).unwrap_or(u64::MAX)
}

/// A multiple of the step, at least one step later: a margin for clocks that differ.
fn rounded_up(seconds: u64) -> u64 {
    (seconds / TTL_STEP_S).saturating_add(2).saturating_mul(TTL_STEP_S).min(i64::MAX.unsigned_abs())
}

/// Writers that have been silent for so long that nothing of theirs can be under way.
fn stale_writers(item: &BucketItem, own: Writer, now: Timestamp) -> Vec<(Writer, u64)> {
    if item.writers.len() <= WRITERS_KEPT {
        return Vec::new();
    }
    let stale = |(writer, number): &(&Writer, &u64)| {
        // Numbers follow the clock: see `Numbers`.
        **writer != own && (*number / 1000).saturating_add(WRITER_FORGOTTEN_AFTER_MS) < now.as_millis()
    };
    item.writers.iter().filter(stale).map(|(writer, number)| (*writer, *number)).collect()
}

#[cfg(test)]
mod tests {
    use zae_limiter_core::{EntityId, LimitSet, Resource};

    use super::*;
    use crate::execute::execute;
    use crate::item::LimitItem;

    /// Regression: a swap is conditioned on the state alone, so it admitted what the changed limit does not hold.
    #[test]
    fn a_take_by_a_changed_limit_never_admits_more_than_it_holds() {
        let now = Timestamp::from_millis(1_000_000);
        let (old, new) = (Limit::per_day("n", 10).unwrap(), Limit::per_hour("n", 10).unwrap());
        let full_at = old.rate().charge(FullAt::ALWAYS, Millitokens::from_tokens(8), now);
        let held = LimitItem { limit: old, full_at, consumed: Millitokens::from_tokens(8) };
        let item = BucketItem {
            limits: [(held.limit.name().clone(), held)].into(),
            ttl: u64::MAX,
            ..Default::default()
        };
        let known = Known { item: Some(item.clone()), at: now };
        let level = Level {
            entity_id: EntityId::new("a").unwrap(),
            resource: Resource::new("r").unwrap(),
            limits: LimitSet::new([new]).unwrap(),
        };
        for (tokens, admitted) in [(2, true), (3, false)] {
            let amounts = [Millitokens::from_tokens(tokens)];
            let asked = Asked { level: &level, amounts: &amounts, acquires: 1, kind: Kind::Take };
            let stamp = Stamp { writer: Writer::from_number(1), number: 1 };
            let write = plan(asked, Some(&known), |_| false, now, stamp);
            assert_eq!(execute(Some(&item), &write).is_ok(), admitted, "{tokens} of 2");
        }
    }
}
