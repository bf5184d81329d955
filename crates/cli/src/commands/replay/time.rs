//! Times as logs have them.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use zae_limiter::Timestamp;

/// What a time may look like.
pub(super) const EXPECTED: &str =
    "a time (2023-11-16T18:17:03.98Z, 2023-11-16 18:17:03.98 in UTC, or epoch seconds) from 1970 to 9999";

/// Reads RFC 3339, `YYYY-MM-DD HH:MM:SS[.fraction]` (UTC) or epoch seconds; truncated to ms.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    let millis = if text.as_bytes().get(4) == Some(&b'-') { calendar(text)? } else { epoch_seconds(text)? };
    let millis = u64::try_from(millis).ok()?;
    (millis <= Timestamp::MAX.as_millis()).then(|| Timestamp::from_millis(millis))
}

fn epoch_seconds(text: &str) -> Option<i64> {
    let (seconds, fraction) = match text.split_once('.') {
        Some((seconds, fraction)) => (seconds, thousandths(fraction)?),
        None => (text, 0),
    };
    digits::<i64>(seconds)?.checked_mul(1_000)?.checked_add(fraction)
}

fn calendar(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let separators = [(4, b"-".as_slice()), (7, b"-"), (10, b" Tt"), (13, b":"), (16, b":")];
    if !separators.into_iter().all(|(at, allowed)| bytes.get(at).is_some_and(|b| allowed.contains(b))) {
        return None;
    }
    let (year, month, day) = (digits(text.get(..4)?)?, digits(text.get(5..7)?)?, digits(text.get(8..10)?)?);
    let (hour, minute) = (digits(text.get(11..13)?)?, digits(text.get(14..16)?)?);
    // A leap second is counted as the second before it, as in epoch seconds.
    let second = digits::<i8>(text.get(17..19)?)?;
    let second = if second == 60 { 59 } else { second };
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
        None => ("0", rest),
    };
    let millis = thousandths(fraction)?;
    let local = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let utc = Offset::UTC.to_timestamp(local).ok()?.as_millisecond();
    Some(utc + millis - offset_seconds(zone)? * 1_000)
}

/// `Z`, `+02:00`, or nothing for UTC.
fn offset_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (digits::<i64>(hours)?, digits::<i64>(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// The digits of a decimal fraction, cut after three.
fn thousandths(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(fraction.bytes().chain(*b"000").take(3).fold(0, |sum, b| sum * 10 + i64::from(b - b'0')))
}

fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    // `parse` alone would take a sign.
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_forms_truncated_to_milliseconds() {
        for (text, millis) in [
            ("2023-11-16 18:17:03.9799600", 1_700_158_623_979),
            ("2023-11-16T18:17:03.9799600Z", 1_700_158_623_979),
            ("2023-11-16T18:17:03.979999999999999Z", 1_700_158_623_979),
            ("2023-11-16 18:17:03", 1_700_158_623_000),
            ("2023-11-16T18:17:03", 1_700_158_623_000),
            ("2024-05-10 00:00:00.009930+00:00", 1_715_299_200_009),
            ("2023-11-16T19:17:03+01:00", 1_700_158_623_000),
            ("2023-11-16T18:17:03.5-00:30", 1_700_160_423_500),
            ("2016-12-31T23:59:60Z", 1_483_228_799_000),
            ("1700158623", 1_700_158_623_000),
            ("1700158623.9799600", 1_700_158_623_979),
            ("0", 0),
            ("5.1", 5_100),
            ("2023", 2_023_000),
            ("9999-12-30T22:00:00Z", Timestamp::MAX.as_millis()),
            ("253402207200", Timestamp::MAX.as_millis()),
        ] {
            assert_eq!(parse_time(text), Some(Timestamp::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "now",
            "-5",
            "+5",
            "1e9",
            "5.",
            ".5",
            "1700158623979000",
            "2023-11-16",
            "2023-13-16 18:17:03",
            "2023-02-29 18:17:03",
            "2023-11-16 24:00:00",
            "2023-11-16 18:17",
            "2023-11-16 18:17:03.",
            "2023-11-16 18:17:03 UTC",
            "2023-11-16T18:17:03+1:00",
            "2023-11-16T18:17:03+99:00",
            "1969-12-31T23:59:59Z",
            "2023-1é-16 18:17:03",
            "9999-12-31T23:59:59Z",
            "253402207200.001",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
