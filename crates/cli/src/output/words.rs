//! Durations, numbers and instants for people.

use std::time::Duration;

use zae_limiter::Timestamp;

/// The two greatest units of a duration, rounded up: `850ms`, `12.5s`, `3m 20s`, `5h 10m`, `4d 2h`.
pub(crate) fn duration_in_words(duration: Duration) -> String {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    if millis < 1_000 {
        return format!("{millis}ms");
    }
    if millis < 60_000 {
        let (seconds, thousandths) = (millis / 1_000, millis % 1_000);
        let text = format!("{seconds}.{thousandths:03}");
        return format!("{}s", text.trim_end_matches('0').trim_end_matches('.'));
    }
    let seconds = millis.div_ceil(1_000);
    let (unit, big, small) = if seconds < 3_600 {
        (1, (60, "m"), "s")
    } else if seconds < 86_400 {
        (60, (60, "h"), "m")
    } else {
        (3_600, (24, "d"), "h")
    };
    let units = seconds.div_ceil(unit);
    match units % big.0 {
        0 => format!("{}{}", units / big.0, big.1),
        rest => format!("{}{} {rest}{small}", units / big.0, big.1),
    }
}

/// A number with its digits in groups: `1,234,567`.
pub(crate) fn grouped(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (i, digit) in digits.char_indices() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An instant to the minute, in UTC: `2024-05-01 12:30`.
pub(crate) fn minute(instant: Timestamp) -> String {
    instant.to_string().get(..16).unwrap_or_default().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_up_so_that_a_retry_comes_late_enough() {
        for (millis, words) in [
            (0, "0ms"),
            (1, "1ms"),
            (1_000, "1s"),
            (12_500, "12.5s"),
            (59_999, "59.999s"),
            (60_000, "1m"),
            (200_001, "3m 21s"),
            (3_599_500, "1h"),
            (18_600_000, "5h 10m"),
            (86_399_999, "1d"),
            (352_800_001, "4d 3h"),
        ] {
            assert_eq!(duration_in_words(Duration::from_millis(millis)), words, "{millis}");
        }
    }

    #[test]
    fn digits_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
