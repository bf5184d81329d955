//! Planning a write: from what is asked and what is known of the item to one conditional update.
//!
//! All of it is a pure function. The `max` of the bucket arithmetic becomes a choice between two conditions, each exact
//! without knowing the exact state: *busy*, the bucket is not full and the state moves on by the cost; and *idle*, it is
//! full and the state starts from now. A wrong choice, a denial and a changed limit all surface as the one condition
//! that failed, whose answer brings the exact item to plan from again.

mod expiry;
mod stamp;
mod step;
mod write;

use smallvec::SmallVec;
use zae_limiter_core::{Level, LimitName, Millitokens, Timestamp};

pub use self::expiry::EXPIRY_MARGIN_S;
pub use self::stamp::{Stamp, Stamps};
pub use self::write::{BucketWrite, Expiry, Found, LimitWrite, Step};

use self::step::AskedOfLimit;
use crate::item::{BucketItem, Known, Writer};

/// Entries of other writers that an item keeps before they are swept, see [`BucketWrite::forget`].
const WRITERS_KEPT: usize = 8;
/// Entries that one write sweeps at most: each is a condition, and DynamoDB bounds the operators of an expression.
const SWEPT_AT_ONCE: usize = 8;
/// After this time no write of a process can still be under way: its entry may go. In ms.
const WRITER_FORGOTTEN_AFTER_MS: u64 = 10 * 60 * 1000;
/// With more limits than these, of which nothing is known, they are taken to be absent: the condition that allows for
/// both is too long for DynamoDB.
const UNKNOWN_AT_MOST: usize = 40;

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
    let carried_over_at = item.map_or(now, |item| item.carried_over_at(now));
    let found = match known {
        None if asked.level.limits.len() <= UNKNOWN_AT_MOST => Found::Unknown,
        None | Some(_) => Found::Absent,
    };
    let mut limits = SmallVec::new();
    for (limit, amount) in asked.level.limits.iter().zip(asked.amounts) {
        if asked.kind == Kind::Apply && amount.is_zero() {
            continue;
        }
        let ask = AskedOfLimit { kind: asked.kind, limit, amount: *amount, now, carried_over_at };
        let step = match item.and_then(|item| item.limits.get(limit.name())) {
            Some(held) => ask.of_held(held, likely_busy(limit.name())),
            None if known.is_none() && amount.get() < 0 => ask.returned(),
            None if known.is_none() && amount.get() > 0 && likely_busy(limit.name()) => ask.of_busy(None),
            None => ask.of_full(found),
        };
        limits.push(LimitWrite { limit: limit.clone(), consumed: *amount, step });
    }
    let may_create = item.is_none() && limits.iter().all(LimitWrite::may_create);
    let expiry = expiry::settle(asked.kind, &mut limits, item, now);
    BucketWrite {
        limits,
        acquires: asked.acquires,
        expiry,
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

/// Writers that have been silent for so long that nothing of theirs can be under way.
fn stale_writers(item: &BucketItem, own: Writer, now: Timestamp) -> Vec<(Writer, u64)> {
    if item.writers.len() <= WRITERS_KEPT {
        return Vec::new();
    }
    let stale = |(writer, number): &(&Writer, &u64)| {
        // Numbers follow the clock: see `Stamps`.
        **writer != own && (*number / 1000).saturating_add(WRITER_FORGOTTEN_AFTER_MS) < now.as_millis()
    };
    let stale = item.writers.iter().filter(stale).take(SWEPT_AT_ONCE);
    stale.map(|(writer, number)| (*writer, *number)).collect()
}
