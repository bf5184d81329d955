//! Amounts of tokens, counted in thousandths.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use serde::{Deserialize, Serialize};

/// The most tokens that one limit or one request may name: 10¹².
pub const MAX_TOKENS: u64 = 1_000_000_000_000;

/// A text that is not a number of tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokensError(String);

/// Reads a number of tokens as it is written in limits: `100`, `1_000`, `10k` or `2M`.
///
/// ```
/// use zae_limiter_core::amount::parse_tokens;
/// assert_eq!(parse_tokens("10k"), Ok(10_000));
/// assert!(parse_tokens("-1").is_err());
/// ```
pub fn parse_tokens(text: &str) -> Result<u64, TokensError> {
    crate::limit_text::parse_number(text).map_err(TokensError)
}

/// A signed amount of tokens in thousandths: a balance, a cost, or a correction.
///
/// ```
/// use zae_limiter_core::Millitokens;
/// let two = Millitokens::from_tokens(2);
/// assert_eq!(two.get(), 2_000);
/// assert_eq!(Millitokens::new(-1).whole_tokens(), -1, "whole tokens round down");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millitokens(i64);

impl Millitokens {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount given in millitokens.
    pub const fn new(millitokens: i64) -> Self {
        Self(millitokens)
    }

    /// An amount given in whole tokens; saturates at ±9.2 · 10¹⁵ tokens, far beyond [`MAX_TOKENS`].
    pub const fn from_tokens(tokens: i64) -> Self {
        Self(tokens.saturating_mul(1000))
    }

    /// The amount in millitokens.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The amount in whole tokens, rounded down (towards debt).
    pub const fn whole_tokens(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Whether this is neither taken nor returned.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add for Millitokens {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Millitokens {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Millitokens {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for Millitokens {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Millitokens {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Millitokens {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// In tokens, with up to three decimals: `2.5`.
impl fmt::Display for Millitokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, magnitude) =
            if self.0 < 0 { ("-", self.0.unsigned_abs()) } else { ("", self.0.unsigned_abs()) };
        let (tokens, thousandths) = (magnitude / 1000, magnitude % 1000);
        if thousandths == 0 {
            f.pad(&format!("{sign}{tokens}"))
        } else {
            f.pad(format!("{sign}{tokens}.{thousandths:03}").trim_end_matches('0'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_tokens() {
        assert_eq!(Millitokens::new(2_500).to_string(), "2.5");
        assert_eq!(Millitokens::new(-1_001).to_string(), "-1.001");
        assert_eq!(Millitokens::from_tokens(120).to_string(), "120");
    }

    #[test]
    fn whole_tokens_of_debt_round_away_from_zero() {
        assert_eq!(Millitokens::new(-1_500).whole_tokens(), -2);
    }
}
