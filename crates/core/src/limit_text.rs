//! The text form of a limit: `NAME=AMOUNT/PERIOD[:capacity=N][:burst=N]`.

use std::fmt;
use std::str::FromStr;

use crate::{Limit, LimitError, LimitSet};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        parse(text).map_err(|problem| match problem {
            Problem::Text(problem) => LimitError::Text { text: text.to_owned(), problem },
            Problem::Limit(error) => error,
        })
    }
}

enum Problem {
    Text(String),
    Limit(LimitError),
}

impl From<String> for Problem {
    fn from(problem: String) -> Self {
        Self::Text(problem)
    }
}

fn parse(text: &str) -> Result<Limit, Problem> {
    let (name, rest) = text.split_once('=').ok_or_else(|| "there is no '='".to_owned())?;
    let mut parts = rest.split(':');
    // `split` yields at least one part.
    let rate = parts.next().unwrap_or_default();
    let (amount, period) =
        rate.split_once('/').ok_or_else(|| format!("there is no '/PERIOD' in {rate:?}"))?;
    let refill_amount = parse_number(amount)?;
    let period_seconds = parse_period(period)?;

    let (mut capacity, mut burst) = (None, None);
    for part in parts {
        let slot = match part.split_once('=') {
            Some(("capacity", number)) => (&mut capacity, number),
            Some(("burst", number)) => (&mut burst, number),
            _ => return Err(format!("{part:?} is neither burst=N nor capacity=N").into()),
        };
        if slot.0.replace(parse_number(slot.1)?).is_some() {
            return Err(format!("{part:?} repeats an option").into());
        }
    }
    let capacity = capacity.unwrap_or(refill_amount);
    Limit::new(name, capacity, burst.unwrap_or(capacity), refill_amount, period_seconds)
        .map_err(Problem::Limit)
}

/// A whole number with `_` between digits and a suffix `k` (10³) or `M` (10⁶): `10k`, `1_000_000`.
pub(crate) fn parse_number(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.as_bytes() {
        [.., b'k' | b'K'] => (&text[..text.len() - 1], 1_000),
        [.., b'M'] => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    let well_formed = digits.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && !digits.ends_with('_');
    if !well_formed {
        return Err(format!("{text:?} is not a whole number such as 100, 1_000 or 10k"));
    }
    digits
        .replace('_', "")
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| format!("{text:?} is too large"))
}

fn parse_period(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').len();
    let (count, unit) = text.split_at(digits);
    let unit_seconds = match unit {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "min" | "mins" | "minute" | "minutes" => MINUTE,
        "h" | "hour" | "hours" => HOUR,
        "d" | "day" | "days" => DAY,
        "m" => return Err("the period unit \"m\" is ambiguous, write min".to_owned()),
        _ => return Err(format!("{text:?} is not a period such as s, 10s, min, h or day")),
    };
    let count = if count.is_empty() { 1 } else { parse_number(count)? };
    count.checked_mul(unit_seconds).ok_or_else(|| format!("the period {text:?} is too large"))
}

/// The shortest text that reads back as the same limit.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        f.pad(&text)
    }
}

/// Limits joined by commas: `rpm=100/min, tpm=10k/min:burst=15k`.
impl FromStr for LimitSet {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let limits = text.split(',').map(|limit| limit.trim().parse());
        Self::new(limits.collect::<Result<Vec<_>, _>>()?)
    }
}

/// Limits joined by commas, as they can be read back.
impl fmt::Display for LimitSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits: Vec<String> = self.iter().map(Limit::text).collect();
        f.pad(&limits.join(", "))
    }
}

impl Limit {
    fn text(&self) -> String {
        let amount = number(self.refill_amount());
        let mut text = format!("{}={amount}/{}", self.name(), period(self.refill_period().as_secs()));
        if self.capacity() != self.refill_amount() {
            text.push_str(":capacity=");
            text.push_str(&number(self.capacity()));
        }
        if self.burst() != self.capacity() {
            text.push_str(":burst=");
            text.push_str(&number(self.burst()));
        }
        text
    }
}

fn number(n: u64) -> String {
    match n {
        1.. if n.is_multiple_of(1_000_000) => format!("{}M", n / 1_000_000),
        1.. if n.is_multiple_of(1_000) => format!("{}k", n / 1_000),
        _ => n.to_string(),
    }
}

fn period(seconds: u64) -> String {
    let (unit_seconds, unit) = [(DAY, "day"), (HOUR, "h"), (MINUTE, "min")]
        .into_iter()
        .find(|(unit_seconds, _)| seconds.is_multiple_of(*unit_seconds))
        .unwrap_or((1, "s"));
    match seconds / unit_seconds {
        1 => unit.to_owned(),
        count => format!("{count}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::MAX_TOKENS;
    use crate::limit::MAX_PERIOD_SECONDS;
    use proptest::prelude::*;

    fn limit(text: &str) -> Limit {
        text.parse().unwrap()
    }

    #[test]
    fn reads_the_documented_forms() {
        assert_eq!(limit("rpm=100/min"), Limit::per_minute("rpm", 100).unwrap());
        assert_eq!(limit("tpm=10k/min:burst=15k"), Limit::new("tpm", 10_000, 15_000, 10_000, 60).unwrap());
        assert_eq!(limit("x=5/10s"), Limit::new("x", 5, 5, 5, 10).unwrap());
        assert_eq!(
            limit("q=1_000/d:capacity=2M"),
            Limit::new("q", 2_000_000, 2_000_000, 1_000, DAY).unwrap()
        );
        for (unit, seconds) in [("s", 1), ("sec", 1), ("second", 1), ("min", 60), ("minute", 60)] {
            assert_eq!(limit(&format!("n=1/{unit}")).refill_period().as_secs(), seconds);
        }
        for (unit, seconds) in [("h", HOUR), ("hour", HOUR), ("d", DAY), ("day", DAY), ("2day", 2 * DAY)] {
            assert_eq!(limit(&format!("n=1/{unit}")).refill_period().as_secs(), seconds);
        }
    }

    #[test]
    fn reads_sets_as_it_prints_them() {
        let set: LimitSet = "rpm=100/min,tpm=10k/min:burst=15k".parse().unwrap();
        assert_eq!(set.to_string(), "rpm=100/min, tpm=10k/min:burst=15k");
        assert_eq!(set.to_string().parse(), Ok(set));
        assert!(matches!("rpm=1/s, rpm=2/s".parse::<LimitSet>(), Err(LimitError::Duplicate(_))));
    }

    #[test]
    fn says_what_is_wrong_and_what_was_expected() {
        for (text, problem) in [
            ("", "there is no '='"),
            ("rpm", "there is no '='"),
            ("rpm=100", "there is no '/PERIOD'"),
            ("rpm=100/fortnight", "is not a period"),
            ("rpm=100/m", "write min"),
            ("rpm=-1/min", "is not a whole number"),
            ("rpm=1.5k/min", "is not a whole number"),
            ("rpm=_1/min", "is not a whole number"),
            ("rpm=99999999999999999999/min", "is too large"),
            ("rpm=1/min:burst=2:burst=2", "repeats"),
            ("rpm=1/min:bust=2", "neither burst=N nor capacity=N"),
            ("rpm=1/min:", "neither burst=N nor capacity=N"),
        ] {
            let message = text.parse::<Limit>().unwrap_err().to_string();
            assert!(message.contains(problem), "{text:?}: {message}");
            assert!(message.contains("NAME=AMOUNT/PERIOD"), "{text:?}: {message}");
        }
        assert_eq!("n=0/min".parse::<Limit>().unwrap_err(), LimitError::ZeroCapacity);
    }

    proptest! {
        #[test]
        fn parse_after_print_is_identity(
            name in "[A-Za-z][A-Za-z0-9_.-]{0,63}",
            capacity in 1..=MAX_TOKENS, extra in 0..=MAX_TOKENS,
            amount in 1..=MAX_TOKENS, period in 1..=MAX_PERIOD_SECONDS,
            rounded in any::<bool>(),
        ) {
            let round = |n: u64| if rounded { (n / 1_000_000).max(1) * 1_000_000 } else { n };
            let burst = capacity.saturating_add(extra).min(MAX_TOKENS);
            let limit = Limit::new(name, round(capacity).min(round(burst)), round(burst), round(amount), period);
            if let Ok(limit) = limit {
                prop_assert_eq!(limit.to_string().parse::<Limit>(), Ok(limit));
            }
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Limit>();
        }
    }
}
