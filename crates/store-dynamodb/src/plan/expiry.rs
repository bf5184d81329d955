//! When an item may be deleted: never before every bucket of it is full.

use zae_limiter_core::{Limit, Timestamp};

use super::{Expiry, Kind, LimitWrite, Step};
use crate::item::BucketItem;

/// An item may expire no sooner than so long after all of it is full, and after it was last written, in s. Covers clocks
/// that differ, and writes that arrive late: as long as one is under way, the item remembers the stamp that it is
/// recognised by.
pub const EXPIRY_MARGIN_S: u64 = 3_600;
/// Expiry times are rounded up to a multiple of this many seconds, so that most writes leave them alone.
const STEP_S: u64 = 3_600;

/// Decides what becomes of the expiry time, and bounds charges to states that are full in time before it.
pub(super) fn settle(
    kind: Kind,
    limits: &mut [LimitWrite],
    item: Option<&BucketItem>,
    now: Timestamp,
) -> Expiry {
    let now_s = now.as_millis().div_ceil(1_000);
    let full_by = limits.iter().filter_map(|write| full_by(kind, write, now)).fold(now_s, u64::max);
    let least = full_by.saturating_add(EXPIRY_MARGIN_S);
    let expires = item.map(|item| item.ttl).filter(|ttl| *ttl >= least);
    let (expiry, expires) = match expires {
        Some(ttl) if kind == Kind::Apply => (Expiry::Keep(ttl), ttl),
        Some(ttl) => (Expiry::Keep(least), ttl),
        None => (Expiry::Raise(rounded_up(least)), rounded_up(least)),
    };
    if kind == Kind::Apply {
        for write in limits.iter_mut() {
            bound(write, expires);
        }
    }
    expiry
}

/// The second at which a limit is full at the latest after a write, as far as the write moves it.
fn full_by(kind: Kind, write: &LimitWrite, now: Timestamp) -> Option<u64> {
    let rate = write.limit.rate();
    let state = match &write.step {
        Step::Stay { .. } | Step::Return { .. } | Step::Never => return None,
        // The same for all takes, whatever they find and take, so that they agree on the expiry.
        _ if kind == Kind::Take => rate.scaled_now(now) + rate.scaled_burst(),
        Step::Busy { to, cost, .. } => to + cost,
        Step::Idle { after, .. } => *after,
        Step::Swap { after, .. } => after.scaled(),
    };
    Some(u64::try_from(state.max(0).unsigned_abs().div_ceil(per_second(&write.limit))).unwrap_or(u64::MAX))
}

/// Lets a charge apply to every state that it leaves full in time before `expires`, in s.
fn bound(write: &mut LimitWrite, expires: u64) {
    let latest = expires.saturating_sub(EXPIRY_MARGIN_S);
    let rate = write.limit.rate();
    if let Step::Busy { to, cost, .. } = &mut write.step {
        let latest = i128::from(latest).saturating_mul(per_second(&write.limit).cast_signed());
        *to = (*to).max(latest.min(rate.scaled_max()) - *cost);
    }
}

/// A second on the scale of `limit`.
fn per_second(limit: &Limit) -> u128 {
    limit.rate().scaled_now(Timestamp::from_millis(1_000)).unsigned_abs()
}

fn rounded_up(seconds: u64) -> u64 {
    (seconds / STEP_S).saturating_add(1).saturating_mul(STEP_S).min(i64::MAX.unsigned_abs())
}
