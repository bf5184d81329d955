//! `NAME=EXPR`: how many tokens of a limit a row stands for.

use std::str::FromStr;

use zae_limiter::LimitName;
use zae_limiter::core::amount::MAX_TOKENS;

/// Tokens of a limit, as a sum of integers and columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) limit: LimitName,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Number(u64),
    Column(String),
}

/// A sum whose columns are known by their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) constant: u64,
    pub(super) columns: Vec<usize>,
}

impl FromStr for Tokens {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, sum) = text.split_once('=').ok_or_else(|| {
            "expected NAME=EXPR, for example tpm=ContextTokens+GeneratedTokens or rpm=1".to_owned()
        })?;
        let limit = LimitName::new(name).map_err(|error| error.to_string())?;
        let terms = sum.split('+').map(|term| Term::parse(term.trim())).collect::<Result<Vec<_>, _>>()?;
        let tokens = Self { limit, terms };
        if tokens.constant().is_none_or(|sum| sum > MAX_TOKENS) {
            return Err(format!("{sum:?} is more than {MAX_TOKENS}"));
        }
        Ok(tokens)
    }
}

impl Term {
    fn parse(term: &str) -> Result<Self, String> {
        match term.as_bytes() {
            [] => Err("a term is empty; expected a sum of integers and columns, such as 3+Tokens".to_owned()),
            [b'-', ..] => Err(format!("{term:?} is negative; amounts are added up from what is not")),
            bytes if bytes.iter().all(u8::is_ascii_digit) => {
                term.parse().map(Self::Number).map_err(|_| format!("{term:?} is too large"))
            }
            _ => Ok(Self::Column(term.to_owned())),
        }
    }
}

impl Tokens {
    /// So many tokens for every row.
    pub(super) fn fixed(limit: LimitName, tokens: u64) -> Self {
        Self { limit, terms: vec![Term::Number(tokens)] }
    }

    /// Whether it is zero whatever the row.
    pub(super) fn is_always_zero(&self) -> bool {
        self.terms.iter().all(|term| *term == Term::Number(0))
    }

    fn constant(&self) -> Option<u64> {
        let mut numbers = self.terms.iter().filter_map(|term| match term {
            Term::Number(number) => Some(*number),
            Term::Column(_) => None,
        });
        numbers.try_fold(0, u64::checked_add)
    }

    /// The same with columns by place, as `place_of` finds them.
    pub(super) fn bind<E>(&self, place_of: impl Fn(&str) -> Result<usize, E>) -> Result<Sum, E> {
        let columns = self.terms.iter().filter_map(|term| match term {
            Term::Number(_) => None,
            Term::Column(name) => Some(place_of(name)),
        });
        // Bounded when it was read.
        Ok(Sum {
            constant: self.constant().unwrap_or(MAX_TOKENS),
            columns: columns.collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_bound_to_places() {
        let tokens: Tokens = "tpm= In + 3+Out+4".parse().unwrap();
        let sum =
            tokens.bind(|name| ["In", "Out"].iter().position(|column| *column == name).ok_or(())).unwrap();
        assert_eq!(sum, Sum { constant: 7, columns: vec![0, 1] });
        assert!(tokens.bind(|_| Err::<usize, _>("no")).is_err());
    }

    #[test]
    fn says_what_is_not_a_sum() {
        for (text, problem) in [
            ("tpm", "expected NAME=EXPR"),
            ("tpm=", "a term is empty"),
            ("tpm=a++b", "a term is empty"),
            ("tpm=-1", "is negative"),
            ("tpm=99999999999999999999", "is too large"),
            ("tpm=1000000000000+1", "is more than"),
            ("tpm=18446744073709551615+18446744073709551615", "is more than"),
            ("1x=1", "limit name"),
        ] {
            let error = text.parse::<Tokens>().unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
