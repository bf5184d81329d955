//! Durations as people write them: `500ms`, `1m30s`, `2h`, `7d`.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// Reads a duration that is not negative.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let signed = signed_duration(text)?;
    Duration::try_from(signed).map_err(|_| format!("{text:?} is negative"))
}

/// Reads a duration, in which a day has 24 hours.
pub(super) fn signed_duration(text: &str) -> Result<SignedDuration, String> {
    let expected = |_| format!("{text:?} is not a duration such as 500ms, 5s, 1m30s, 2h or 7d");
    let span: Span = text.parse().map_err(expected)?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in [
            ("500ms", 500),
            ("5s", 5_000),
            ("0s", 0),
            ("1m30s", 90_000),
            ("1m 30s", 90_000),
            ("2h", 7_200_000),
            ("1.5s", 1_500),
            ("7d", 604_800_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "5", "s", "-5s", "5 parsecs", "1mo", "99999999999999h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
