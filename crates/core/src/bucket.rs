//! The arithmetic of one limit: a token bucket whose whole state is one number.
//!
//! The state is [`FullAt`], the instant at which the bucket will be full again (the virtual scheduling
//! algorithm of ITU-T I.371, also known as GCRA), scaled by the numerator of the rate so that it stays an
//! integer. Nothing here divides on the way in, so nothing drifts; a bucket refills without being written;
//! a return cannot overfill, because "full in the past" is simply full; and an absent record is a full bucket.

use std::time::Duration;

use crate::{Millitokens, Timestamp};

/// The latest `full_at` that is kept, in ms: 285 million years. Debt beyond it saturates.
const LAST_FULL_AT_MS: i128 = 9_000_000_000_000_000_000;

/// The instant at which a bucket will be full again, in units of 1 / `refill_amount_milli` ms.
///
/// Only meaningful together with the [`Rate`] that it was computed with; [`Rate::rescaled`] converts.
// Packed to the alignment of a word: states lie beside words in records and leases, and padding would cost a third.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed(8))]
pub struct FullAt(i128);

impl FullAt {
    /// Full for as long as anyone can remember: the state of a bucket that was never taken from.
    pub const ALWAYS: Self = Self(0);

    /// The scaled number itself, as a store keeps it.
    pub const fn from_scaled(scaled: i128) -> Self {
        Self(scaled)
    }

    /// The scaled number itself, as a store keeps it.
    pub const fn scaled(self) -> i128 {
        self.0
    }
}

/// How long until a request can be admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    /// It can be admitted now.
    None,
    /// It can be admitted after this time, in whole ms, if nobody else takes meanwhile.
    For(Duration),
    /// It asks for more than the burst and can never be admitted.
    Never,
}

impl Wait {
    /// The time to wait; `None` if waiting is of no use.
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::None => Some(Duration::ZERO),
            Self::For(duration) => Some(duration),
            Self::Never => None,
        }
    }
}

/// A take that was refused: the bucket does not hold enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal;

/// The parameters of the arithmetic: what flows in, how fast, and what fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    amount_milli: u64,
    period_ms: u64,
    burst_milli: u64,
}

impl Rate {
    /// `amount_milli` millitokens every `period_ms`, at most `burst_milli` kept. All positive.
    pub(crate) const fn new(amount_milli: u64, period_ms: u64, burst_milli: u64) -> Self {
        Self { amount_milli, period_ms, burst_milli }
    }

    const fn amount(self) -> i128 {
        self.amount_milli as i128
    }

    const fn period(self) -> i128 {
        self.period_ms as i128
    }

    /// `now`, on the scale of [`FullAt`].
    pub const fn scaled_now(self, now: Timestamp) -> i128 {
        now.as_millis() as i128 * self.amount()
    }

    /// What `amount` moves [`FullAt`] by.
    pub const fn scaled_cost(self, amount: Millitokens) -> i128 {
        amount.get() as i128 * self.period()
    }

    /// How far ahead of now [`FullAt`] is when the bucket is just empty.
    pub const fn scaled_burst(self) -> i128 {
        self.burst_milli as i128 * self.period()
    }

    /// The greatest [`FullAt`] of this rate; debt saturates here.
    pub const fn scaled_max(self) -> i128 {
        LAST_FULL_AT_MS * self.amount()
    }

    /// The state in whole ms and a remainder below the rate's numerator, for stores with 64-bit integers.
    pub fn split(self, full_at: FullAt) -> (i64, i64) {
        let clamped = full_at.0.clamp(0, self.scaled_max());
        // Both fit: the quotient is at most `LAST_FULL_AT_MS`, the remainder below `amount_milli` ≤ 10¹⁵.
        let word = |part: i128| i64::try_from(part).unwrap_or(i64::MAX);
        (word(clamped / self.amount()), word(clamped % self.amount()))
    }

    /// The state that [`Rate::split`] took apart.
    pub fn joined(self, whole_ms: i64, remainder: i64) -> FullAt {
        FullAt(i128::from(whole_ms) * self.amount() + i128::from(remainder))
    }

    /// The first whole ms at which the bucket is full: when its record may expire.
    pub fn full_at_ms(self, full_at: FullAt) -> u64 {
        let whole =
            full_at.0.max(0).min(self.scaled_max()).unsigned_abs().div_ceil(self.amount().unsigned_abs());
        u64::try_from(whole).unwrap_or(u64::MAX)
    }

    /// What the bucket holds, rounded down; negative in debt.
    pub fn balance(self, full_at: FullAt, now: Timestamp) -> Millitokens {
        let ahead = (full_at.0 - self.scaled_now(now)).max(0);
        let balance = (self.scaled_burst() - ahead).div_euclid(self.period());
        Millitokens::new(i64::try_from(balance).unwrap_or(i64::MIN))
    }

    /// Takes `amount`, which is not negative, if the bucket holds it.
    ///
    /// Nothing can be taken from a bucket in debt, not even nothing.
    pub fn take(self, full_at: FullAt, amount: Millitokens, now: Timestamp) -> Result<FullAt, Refusal> {
        let now = self.scaled_now(now);
        let after = full_at.0.max(now) + self.scaled_cost(amount);
        if after <= now + self.scaled_burst() { Ok(FullAt(after)) } else { Err(Refusal) }
    }

    /// Takes `amount`, which is not negative, even if that leaves the bucket in debt.
    #[must_use]
    pub fn charge(self, full_at: FullAt, amount: Millitokens, now: Timestamp) -> FullAt {
        let after = full_at.0.max(self.scaled_now(now)) + self.scaled_cost(amount);
        FullAt(after.min(self.scaled_max()))
    }

    /// Returns `amount`, which is not negative. A full bucket stays full.
    #[must_use]
    pub fn give_back(self, full_at: FullAt, amount: Millitokens) -> FullAt {
        FullAt((full_at.0 - self.scaled_cost(amount)).max(0))
    }

    /// Applies a signed amount unconditionally: a charge if positive, a return if negative.
    #[must_use]
    pub fn apply(self, full_at: FullAt, amount: Millitokens, now: Timestamp) -> FullAt {
        match amount.get() {
            1.. => self.charge(full_at, amount, now),
            0 => full_at,
            _ => self.give_back(full_at, -amount),
        }
    }

    /// How long until `amount`, which is not negative, can be taken.
    pub fn wait(self, full_at: FullAt, amount: Millitokens, now: Timestamp) -> Wait {
        let cost = self.scaled_cost(amount);
        if cost > self.scaled_burst() {
            return Wait::Never;
        }
        let short = full_at.0 - self.scaled_now(now) + cost - self.scaled_burst();
        if short <= 0 {
            return Wait::None;
        }
        let millis = short.unsigned_abs().div_ceil(self.amount().unsigned_abs());
        Wait::For(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }

    /// `full_at`, computed with this rate, on the scale of `new`: the balance is carried over, clamped to the
    /// new burst. A fraction of a millitoken that the new scale cannot hold is rounded towards a lower balance.
    #[must_use]
    pub fn rescaled(self, full_at: FullAt, new: Self, now: Timestamp) -> FullAt {
        if self == new {
            return full_at;
        }
        let ahead = (full_at.0 - self.scaled_now(now)).max(0);
        let balance = self.scaled_burst() - ahead;
        // balance · new.period / self.period without overflow: quotient and remainder separately.
        let whole = balance.div_euclid(self.period()).saturating_mul(new.period());
        let rest = balance.rem_euclid(self.period()) * new.period() / self.period();
        let new_balance = whole.saturating_add(rest).min(new.scaled_burst());
        let new_full_at = new.scaled_now(now).saturating_add(new.scaled_burst().saturating_sub(new_balance));
        FullAt(new_full_at.min(new.scaled_max()))
    }
}
