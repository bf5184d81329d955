//! Instants as people write them: `2024-05-01`, `2024-05-01T12:30:00Z`, `-7d`.

use std::str::FromStr;

use jiff::tz::Offset;
use jiff::{SignedDuration, civil};
use zae_limiter::Timestamp;

use super::duration::signed_duration;

/// A fixed instant, or one in relation to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instant {
    At(Timestamp),
    FromNow(SignedDuration),
}

impl Instant {
    /// The instant, given the present one.
    pub(crate) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::FromNow(offset) => {
                let millis = i128::from(now.as_millis()) + offset.as_millis();
                Timestamp::from_millis(u64::try_from(millis.max(0)).unwrap_or(u64::MAX))
            }
        }
    }
}

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("{text:?} is not a time such as 2024-05-01, 2024-05-01T12:30:00Z, now, -7d or -90m");
        if text == "now" {
            return Ok(Self::FromNow(SignedDuration::ZERO));
        }
        if text.starts_with(['-', '+']) {
            return signed_duration(text).map(Self::FromNow).map_err(|_| expected());
        }
        let instant = match text.parse::<jiff::Timestamp>() {
            Ok(instant) => instant,
            Err(_) => text
                .parse::<civil::DateTime>()
                .and_then(|utc| Offset::UTC.to_timestamp(utc))
                .map_err(|_| expected())?,
        };
        let millis = u64::try_from(instant.as_millisecond()).map_err(|_| expected())?;
        Ok(Self::At(Timestamp::from_millis(millis)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fixed_and_relative_instants() {
        let now = Timestamp::from_millis(1_000_000_000_000);
        for (text, millis) in [
            ("1970-01-02", 86_400_000),
            ("1970-01-01T01:00:00Z", 3_600_000),
            ("1970-01-01 01:00:00", 3_600_000),
            ("1970-01-01T01:00:00+01:00", 0),
            ("now", 1_000_000_000_000),
            ("-1d", 999_913_600_000),
            ("+1s", 1_000_000_001_000),
            ("-99999d", 0),
        ] {
            let instant = text.parse::<Instant>().unwrap().resolve(now);
            assert_eq!(instant.as_millis(), millis, "{text}");
        }
        for bad in ["", "yesterday", "7d", "-", "-7", "1969-01-01", "2024-13-01"] {
            assert!(bad.parse::<Instant>().is_err(), "{bad}");
        }
    }
}
