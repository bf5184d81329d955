//! What is allowed: a [`Limit`], and the [`LimitSet`] that one bucket is held to.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::amount::MAX_TOKENS;
use crate::name::{LimitName, NameError};
use crate::{Millitokens, Rate};

/// The longest refill period, in seconds (about 31 years).
pub const MAX_PERIOD_SECONDS: u64 = 1_000_000_000;
/// The longest time that an empty bucket may take to refill, in seconds (about 31 million years: a quota
/// that practically never refills can still be written).
pub const MAX_FILL_SECONDS: u64 = 1_000_000_000_000_000;
/// The most limits that one bucket may have.
pub const MAX_LIMITS: usize = 64;

/// Why a limit, or a set of limits, is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// The name is not a limit name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The capacity is zero.
    #[error("capacity must be positive")]
    ZeroCapacity,
    /// The burst is below the capacity.
    #[error("burst must be >= capacity")]
    BurstBelowCapacity,
    /// The refill amount is zero.
    #[error("refill_amount must be positive")]
    ZeroRefillAmount,
    /// The refill period is zero.
    #[error("refill_period_seconds must be positive")]
    ZeroRefillPeriod,
    /// A number is larger than the arithmetic is proven for.
    #[error("{what} must be at most {max}")]
    TooLarge {
        /// Which number.
        what: &'static str,
        /// Its greatest value.
        max: u64,
    },
    /// An empty bucket would need more than [`MAX_FILL_SECONDS`] to refill.
    #[error("burst is too large for the rate: an empty bucket would not refill within 31 million years")]
    FillsTooSlowly,
    /// The set has no limit.
    #[error("at least one limit is needed")]
    NoLimits,
    /// The set has two limits of one name.
    #[error("limit {0} is given twice")]
    Duplicate(LimitName),
    /// The set has more than [`MAX_LIMITS`] limits.
    #[error("at most {MAX_LIMITS} limits can share a bucket, these are {0}")]
    TooMany(usize),
    /// A text is not a limit.
    #[error(
        "cannot read limit {text:?}: {problem}; expected NAME=AMOUNT/PERIOD[:burst=N], for example rpm=100/min or tpm=10k/min:burst=15k"
    )]
    Text {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// One limit of a bucket: `refill_amount` tokens flow in every `refill_period`, and at most `burst` are kept.
///
/// Its text form is `NAME=AMOUNT/PERIOD[:capacity=N][:burst=N]`; [`Limit`] reads it with [`str::parse`] and
/// prints it with [`ToString`].
///
/// ```
/// use zae_limiter_core::Limit;
/// let limit: Limit = "tpm=10k/min:burst=15k".parse()?;
/// assert_eq!(limit, Limit::per_minute("tpm", 10_000)?.with_burst(15_000)?);
/// assert_eq!(limit.to_string(), "tpm=10k/min:burst=15k");
/// # Ok::<(), zae_limiter_core::LimitError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawLimit", into = "RawLimit")]
pub struct Limit {
    name: LimitName,
    capacity: u64,
    burst: u64,
    refill_amount: u64,
    refill_period_seconds: u64,
}

/// The five keys that a limit is written with.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    name: String,
    capacity: u64,
    burst: u64,
    refill_amount: u64,
    refill_period_seconds: u64,
}

impl Limit {
    /// A limit from all its parts: `capacity`, `burst` and `refill_amount` in tokens.
    pub fn new(
        name: impl AsRef<str>,
        capacity: u64,
        burst: u64,
        refill_amount: u64,
        refill_period_seconds: u64,
    ) -> Result<Self, LimitError> {
        let name = LimitName::new(name)?;
        if capacity == 0 {
            return Err(LimitError::ZeroCapacity);
        }
        if burst < capacity {
            return Err(LimitError::BurstBelowCapacity);
        }
        if refill_amount == 0 {
            return Err(LimitError::ZeroRefillAmount);
        }
        if refill_period_seconds == 0 {
            return Err(LimitError::ZeroRefillPeriod);
        }
        // The capacity needs no bound of its own: it is at most the burst.
        for (what, value, max) in [
            ("burst", burst, MAX_TOKENS),
            ("refill_amount", refill_amount, MAX_TOKENS),
            ("refill_period_seconds", refill_period_seconds, MAX_PERIOD_SECONDS),
        ] {
            if value > max {
                return Err(LimitError::TooLarge { what, max });
            }
        }
        let fills_within = u128::from(refill_amount) * u128::from(MAX_FILL_SECONDS);
        if u128::from(burst) * u128::from(refill_period_seconds) > fills_within {
            return Err(LimitError::FillsTooSlowly);
        }
        Ok(Self { name, capacity, burst, refill_amount, refill_period_seconds })
    }

    /// `capacity` tokens a second.
    pub fn per_second(name: impl AsRef<str>, capacity: u64) -> Result<Self, LimitError> {
        Self::new(name, capacity, capacity, capacity, 1)
    }

    /// `capacity` tokens a minute.
    pub fn per_minute(name: impl AsRef<str>, capacity: u64) -> Result<Self, LimitError> {
        Self::new(name, capacity, capacity, capacity, 60)
    }

    /// `capacity` tokens an hour.
    pub fn per_hour(name: impl AsRef<str>, capacity: u64) -> Result<Self, LimitError> {
        Self::new(name, capacity, capacity, capacity, 3_600)
    }

    /// `capacity` tokens a day.
    pub fn per_day(name: impl AsRef<str>, capacity: u64) -> Result<Self, LimitError> {
        Self::new(name, capacity, capacity, capacity, 86_400)
    }

    /// The same limit with room for `burst` tokens; `burst` is at least the capacity.
    pub fn with_burst(self, burst: u64) -> Result<Self, LimitError> {
        Self::new(self.name, self.capacity, burst, self.refill_amount, self.refill_period_seconds)
    }

    /// The name, unique within a bucket.
    pub const fn name(&self) -> &LimitName {
        &self.name
    }

    /// The sustained allowance that this limit is known by, in tokens.
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The most that a bucket holds, in tokens; at least the capacity.
    pub const fn burst(&self) -> u64 {
        self.burst
    }

    /// Tokens that flow in during each refill period.
    pub const fn refill_amount(&self) -> u64 {
        self.refill_amount
    }

    /// The time in which `refill_amount` tokens flow in.
    pub const fn refill_period(&self) -> Duration {
        Duration::from_secs(self.refill_period_seconds)
    }

    /// The parameters of the bucket arithmetic.
    pub const fn rate(&self) -> Rate {
        // The products cannot overflow: `new` bounds each factor.
        Rate::new(self.refill_amount * 1000, self.refill_period_seconds * 1000, self.burst * 1000)
    }
}

impl TryFrom<RawLimit> for Limit {
    type Error = LimitError;
    fn try_from(raw: RawLimit) -> Result<Self, LimitError> {
        Self::new(raw.name, raw.capacity, raw.burst, raw.refill_amount, raw.refill_period_seconds)
    }
}

impl From<Limit> for RawLimit {
    fn from(limit: Limit) -> Self {
        Self {
            name: limit.name.into(),
            capacity: limit.capacity,
            burst: limit.burst,
            refill_amount: limit.refill_amount,
            refill_period_seconds: limit.refill_period_seconds,
        }
    }
}

/// The limits of one bucket: at least one, no name twice. Cheap to clone.
#[derive(Clone, Debug, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Limit>", into = "Vec<Limit>")]
pub struct LimitSet(Arc<[Limit]>);

impl LimitSet {
    /// A set of `limits`, in the order given.
    pub fn new(limits: impl IntoIterator<Item = Limit>) -> Result<Self, LimitError> {
        let limits: Arc<[Limit]> = limits.into_iter().collect();
        if limits.is_empty() {
            return Err(LimitError::NoLimits);
        }
        if limits.len() > MAX_LIMITS {
            return Err(LimitError::TooMany(limits.len()));
        }
        for (i, limit) in limits.iter().enumerate() {
            if limits[..i].iter().any(|earlier| earlier.name == limit.name) {
                return Err(LimitError::Duplicate(limit.name.clone()));
            }
        }
        Ok(Self(limits))
    }

    /// The place of the limit called `name`.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|limit| limit.name.as_str() == name)
    }

    /// The limit called `name`.
    pub fn named(&self, name: &str) -> Option<&Limit> {
        self.0.iter().find(|limit| limit.name.as_str() == name)
    }

    /// What a request for `amount` of every limit takes, one amount a limit.
    pub fn each(&self, amount: Millitokens) -> impl Iterator<Item = (&LimitName, Millitokens)> {
        self.0.iter().map(move |limit| (&limit.name, amount))
    }

    /// Whether both are one and the same allocation, which a store can decide without comparing names.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for LimitSet {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.0 == other.0
    }
}

impl Hash for LimitSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Deref for LimitSet {
    type Target = [Limit];
    fn deref(&self) -> &[Limit] {
        &self.0
    }
}

impl TryFrom<Vec<Limit>> for LimitSet {
    type Error = LimitError;
    fn try_from(limits: Vec<Limit>) -> Result<Self, LimitError> {
        Self::new(limits)
    }
}

impl From<LimitSet> for Vec<Limit> {
    fn from(set: LimitSet) -> Self {
        set.0.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_number_is_wrong() {
        let problem = |capacity, burst, amount, period| {
            Limit::new("n", capacity, burst, amount, period).unwrap_err().to_string()
        };
        assert_eq!(problem(0, 1, 1, 1), "capacity must be positive");
        assert_eq!(problem(2, 1, 1, 1), "burst must be >= capacity");
        assert_eq!(problem(1, 1, 0, 1), "refill_amount must be positive");
        assert_eq!(problem(1, 1, 1, 0), "refill_period_seconds must be positive");
        assert_eq!(problem(1, u64::MAX, 1, 1), "burst must be at most 1000000000000");
        assert!(problem(1, MAX_TOKENS, 1, 1_000_000_000).contains("31 million years"));
    }

    #[test]
    fn sets_have_no_duplicates_and_are_never_empty() {
        let rpm = Limit::per_minute("rpm", 1).unwrap();
        assert_eq!(LimitSet::new([]), Err(LimitError::NoLimits));
        assert_eq!(LimitSet::new([rpm.clone(), rpm.clone()]), Err(LimitError::Duplicate(rpm.name().clone())));
    }

    #[test]
    fn serde_validates() {
        let json = r#"{"name":"n","capacity":1,"burst":1,"refill_amount":1,"refill_period_seconds":0}"#;
        let error = serde_json::from_str::<Limit>(json).unwrap_err();
        assert!(error.to_string().contains("refill_period_seconds must be positive"));
    }
}
