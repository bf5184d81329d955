//! Planning a write: from what is asked and what is known of the item to one conditional update.
//!
//! All of it is a pure function. The `max` of the bucket arithmetic becomes a choice between two conditions, each exact
//! without knowing the exact state: *busy*, the bucket is not full and the state moves on by the cost; and *idle*, it is
//! full and the state starts from now. A wrong choice, a denial and a changed limit all surface as the one condition
//! that failed, whose answer brings the exact item to plan from again.

mod stamp;
mod write;

use smallvec::SmallVec;
use zae_limiter_core::{Level, Limit, LimitName, Millitokens, Timestamp};

pub use self::stamp::{Stamp, Stamps};
pub use self::write::{BucketWrite, Expiry, Found, LimitWrite, Step};

use crate::item::{BucketItem, Known, Writer};

/// Entries of other writers that an item keeps before they are swept, see [`BucketWrite::forget`].
const WRITERS_KEPT: usize = 8;
/// After this time no write of a process can still be under way: its entry may go. In ms.
const WRITER_FORGOTTEN_AFTER_MS: u64 = 10 * 60 * 1000;
/// Expiry times are rounded up to a multiple of this many seconds, so that most writes leave them alone.
const TTL_STEP_S: u64 = 3_600;

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
                let after = limit.rate().apply(carried, *amount, now);
                Step::Swap { from_limit: held.limit.clone(), from, after }
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
