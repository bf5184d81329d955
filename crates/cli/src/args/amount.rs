//! `NAME=N`: so many tokens of a limit.

use std::str::FromStr;

use zae_limiter::LimitName;
use zae_limiter::core::amount::{MAX_TOKENS, parse_tokens};

/// A positive number of tokens of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) limit: LimitName,
    pub(crate) tokens: u64,
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) =
            text.split_once('=').ok_or_else(|| "expected NAME=N, for example tpm=500".to_owned())?;
        let limit = LimitName::new(name).map_err(|error| error.to_string())?;
        match parse_tokens(number).map_err(|error| error.to_string())? {
            0 => Err("the amount must be at least 1".to_owned()),
            tokens if tokens > MAX_TOKENS => Err(format!("the amount must be at most {MAX_TOKENS}")),
            tokens => Ok(Self { limit, tokens }),
        }
    }
}

/// The amounts as the limiter takes them.
pub(crate) fn by_name(amounts: &[Amount]) -> Vec<(&str, u64)> {
    amounts.iter().map(|amount| (amount.limit.as_str(), amount.tokens)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_positive_amounts_only() {
        let amount: Amount = "tpm=10k".parse().unwrap();
        assert_eq!((amount.limit.as_str(), amount.tokens), ("tpm", 10_000));
        for bad in ["tpm", "tpm=", "tpm=0", "tpm=-1", "tpm=1.5", "=1", "1x=1", "tpm=1000000000001", "n=1=1"] {
            assert!(bad.parse::<Amount>().is_err(), "{bad}");
        }
    }
}
