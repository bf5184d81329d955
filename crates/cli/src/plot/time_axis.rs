//! A time axis whose ticks fall on round times of day, in UTC.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use zae_limiter::Timestamp;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

const STEPS: [u64; 24] = [
    1,
    10,
    100,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    30 * DAY,
];

/// The finest round step, in ms, of which at most `most` are begun in `span`.
pub(crate) fn step_for(span: Range<Timestamp>, most: u64) -> u64 {
    let (start, end) = (span.start.as_millis(), span.end.as_millis());
    let begun = |step: u64| end / step - start / step + 1;
    let years = (1..).map(|factor| 365 * factor * DAY);
    // Long before the factor runs out, a step covers all of the 8,000 years that a timestamp can say.
    STEPS.into_iter().chain(years).find(|step| begun(*step) <= most.max(2)).unwrap_or(DAY)
}

/// The coordinate of a chart's horizontal axis.
#[derive(Clone, Debug)]
pub(super) struct TimeAxis {
    span: Range<Timestamp>,
}

impl TimeAxis {
    pub(super) const fn new(span: Range<Timestamp>) -> Self {
        Self { span }
    }
}

impl Ranged for TimeAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = Timestamp;

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a place in pixels")]
    fn map(&self, value: &Timestamp, limit: (i32, i32)) -> i32 {
        let (start, end) = (self.span.start.as_millis() as f64, self.span.end.as_millis() as f64);
        let share = (value.as_millis() as f64 - start) / (end - start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<Timestamp> {
        let step = step_for(self.span.clone(), hint.max_num_points() as u64);
        let first = self.span.start.as_millis().div_ceil(step) * step;
        let last = self.span.end.as_millis();
        (first..=last)
            .step_by(usize::try_from(step).unwrap_or(usize::MAX))
            .map(Timestamp::from_millis)
            .collect()
    }

    fn range(&self) -> Range<Timestamp> {
        self.span.clone()
    }
}

impl ValueFormatter<Timestamp> for TimeAxis {
    /// The time of day, or the date at its beginning.
    fn format_ext(&self, value: &Timestamp) -> String {
        let text = value.to_string();
        let (date, time) = text.trim_end_matches('Z').split_once('T').unwrap_or((&text, ""));
        if value.as_millis().is_multiple_of(DAY) {
            date.to_owned()
        } else {
            time.strip_suffix(":00").unwrap_or(time).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        let span = |millis| Timestamp::from_millis(90_000)..Timestamp::from_millis(90_000 + millis);
        assert_eq!(step_for(span(3_436_000), 24), 5 * MINUTE);
        assert_eq!(step_for(span(0), 24), 1);
        assert_eq!(step_for(span(40 * DAY), 24), 2 * DAY);
        assert_eq!(step_for(Timestamp::EPOCH..Timestamp::MAX, 24) % (365 * DAY), 0);
    }

    #[test]
    fn ticks_say_the_date_at_midnight() {
        let axis = TimeAxis::new(Timestamp::EPOCH..Timestamp::MAX);
        let label = |millis| axis.format_ext(&Timestamp::from_millis(millis));
        assert_eq!(label(DAY), "1970-01-02");
        assert_eq!(label(DAY + 12 * HOUR), "12:00");
        assert_eq!(label(1_500), "00:00:01.5");
    }
}
