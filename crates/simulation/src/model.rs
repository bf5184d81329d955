//! A token bucket as the textbook has it: a balance and a refill clock, in exact rational numbers.

use zae_limiter_core::{Limit, Millitokens};

/// Balances are counted in this part of a millitoken. Every refill period of a simulation divides it, in ms, so that
/// every refill is a whole number.
const PARTS: i128 = 60_000;

/// The state of one limit.
#[derive(Clone, Debug)]
pub struct Bucket {
    limit: Limit,
    /// At `at`. Above the burst after a return to a full bucket: the cap applies where the balance is used.
    balance: i128,
    at: u64,
    /// The real balance may be lower by this much: what changed limits have rounded away.
    rounded: i128,
}

impl Bucket {
    /// A full bucket.
    pub fn full(limit: &Limit, at: u64) -> Self {
        Self { balance: burst(limit), limit: limit.clone(), at, rounded: 0 }
    }

    /// The parameters.
    pub const fn limit(&self) -> &Limit {
        &self.limit
    }

    /// What it holds at `at`, which may be earlier than the last change: clients' clocks differ.
    fn balance_at(&self, at: u64) -> i128 {
        let passed = i128::from(at) - i128::from(self.at);
        (self.balance + passed * per_ms(&self.limit)).min(burst(&self.limit))
    }

    /// When it was last taken from.
    pub const fn changed_at(&self) -> u64 {
        self.at
    }

    /// Whether it holds `milli` millitokens.
    pub fn holds(&self, milli: i64, at: u64) -> bool {
        self.balance_at(at) >= i128::from(milli) * PARTS
    }

    /// Whether it is full, as far as rounding lets it be known.
    pub fn is_full(&self, at: u64) -> bool {
        self.balance_at(at) == burst(&self.limit)
    }

    /// Takes `milli` out, or returns them if negative.
    pub fn apply(&mut self, milli: i64, at: u64) {
        if milli > 0 {
            self.balance = self.balance_at(at);
            self.at = at;
        }
        self.balance -= i128::from(milli) * PARTS;
    }

    /// Carries the balance over to other parameters.
    pub fn change(&mut self, limit: &Limit, at: u64) {
        let balance = self.balance_at(at).min(burst(limit));
        // No balance is finer than a millitoken, over the period.
        let rounded = self.rounded + PARTS / period_ms(limit);
        *self = Self { limit: limit.clone(), balance, at, rounded };
    }

    /// Whether a state of the table says the same. `full_at` is on the scale of the limit's numerator.
    pub fn agrees(&self, full_at: i128) -> bool {
        let ahead = full_at - i128::from(self.at) * amount_milli(&self.limit);
        let held = burst(&self.limit) - ahead * (PARTS / period_ms(&self.limit));
        held <= self.balance && held >= self.balance - self.rounded
    }

    /// The balance at `at`, for people.
    pub fn balance(&self, at: u64) -> Millitokens {
        millitokens(self.balance_at(at))
    }
}

/// Parts in whole millitokens, for people.
pub fn millitokens(parts: i128) -> Millitokens {
    Millitokens::new(i64::try_from(parts.div_euclid(PARTS)).unwrap_or(i64::MAX))
}

/// `milli` millitokens, counted in parts.
pub fn parts(milli: i64) -> i128 {
    i128::from(milli) * PARTS
}

/// What fits.
pub fn burst(limit: &Limit) -> i128 {
    i128::from(limit.burst()) * 1_000 * PARTS
}

/// What flows in during one ms.
pub fn per_ms(limit: &Limit) -> i128 {
    amount_milli(limit) * (PARTS / period_ms(limit))
}

fn amount_milli(limit: &Limit) -> i128 {
    i128::from(limit.refill_amount()) * 1_000
}

fn period_ms(limit: &Limit) -> i128 {
    let period = i128::from(limit.refill_period().as_secs()) * 1_000;
    assert!(PARTS % period == 0, "a period of {period} ms is none that the model can do");
    period
}
