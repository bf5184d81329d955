//! Usage: how much was consumed, in which window.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

use crate::{EntityId, LimitName, Millitokens, Resource, Timestamp};

/// Milliseconds in an hour, the finest window.
pub const HOUR_MS: u64 = 3_600_000;

/// A kind of usage window. Windows are aligned to UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Window {
    /// From full hour to full hour.
    Hourly,
    /// From midnight to midnight.
    Daily,
    /// From the first of a month to the first of the next.
    Monthly,
}

impl Window {
    /// All windows, finest first.
    pub const ALL: [Self; 3] = [Self::Hourly, Self::Daily, Self::Monthly];

    /// Its name: `hourly`, `daily` or `monthly`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Monthly => "monthly",
        }
    }

    /// The start of the window that `instant` lies in.
    pub fn start(self, instant: Timestamp) -> Timestamp {
        let start = match self {
            Self::Hourly => return Timestamp::from_millis(instant.as_millis() / HOUR_MS * HOUR_MS),
            Self::Daily => utc(instant).date().to_datetime(jiff::civil::Time::midnight()),
            Self::Monthly => utc(instant).date().first_of_month().to_datetime(jiff::civil::Time::midnight()),
        };
        from_utc(start)
    }

    /// The end (exclusive) of the window that starts at `start`.
    pub fn end(self, start: Timestamp) -> Timestamp {
        let span = match self {
            Self::Hourly => 1.hour(),
            Self::Daily => 1.day(),
            Self::Monthly => 1.month(),
        };
        from_utc(utc(start).saturating_add(span))
    }
}

fn utc(instant: Timestamp) -> DateTime {
    // `Timestamp` is bounded as jiff's is: the conversion cannot fail.
    let millis = i64::try_from(instant.as_millis()).unwrap_or(0);
    Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(millis).unwrap_or_default())
}

fn from_utc(datetime: DateTime) -> Timestamp {
    // Near the end of the year 9999 the end of a window is clamped.
    let millis = Offset::UTC.to_timestamp(datetime).map_or(i64::MAX, jiff::Timestamp::as_millisecond);
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A string that is not the name of a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a window: expected hourly, daily or monthly")]
pub struct WindowError(String);

impl FromStr for Window {
    type Err = WindowError;
    fn from_str(name: &str) -> Result<Self, WindowError> {
        Self::ALL
            .into_iter()
            .find(|window| window.as_str() == name)
            .ok_or_else(|| WindowError(name.to_owned()))
    }
}

/// What an entity consumed of a resource in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageSnapshot {
    /// Who consumed.
    pub entity_id: EntityId,
    /// What was consumed.
    pub resource: Resource,
    /// The kind of window.
    pub window: Window,
    /// When it starts.
    pub window_start: Timestamp,
    /// When it ends, exclusive.
    pub window_end: Timestamp,
    /// Net consumption by limit; negative if more was returned than taken in this window.
    pub counters: BTreeMap<LimitName, Millitokens>,
    /// Acquires, net of those rolled back.
    pub total_events: i64,
}

impl UsageSnapshot {
    /// What was consumed in the window that starts at `window_start`.
    pub fn new(
        entity_id: EntityId,
        resource: Resource,
        window: Window,
        window_start: Timestamp,
        counters: BTreeMap<LimitName, Millitokens>,
        total_events: i64,
    ) -> Self {
        let window_end = window.end(window_start);
        Self { entity_id, resource, window, window_start, window_end, counters, total_events }
    }

    /// Whether nothing happened, or all was taken back.
    pub fn is_nothing(&self) -> bool {
        self.total_events == 0 && self.counters.values().all(|amount| amount.is_zero())
    }
}

/// Which snapshots are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageQuery {
    /// Of this entity; of all if `None`.
    pub entity_id: Option<EntityId>,
    /// On this resource; on all if `None`.
    pub resource: Option<Resource>,
    /// In windows of this kind.
    pub window: Window,
    /// That start at or after this instant.
    pub from: Timestamp,
    /// That start before this instant.
    pub to: Timestamp,
}

impl UsageQuery {
    /// All snapshots of `entity_id` in windows of kind `window`.
    pub const fn of(entity_id: EntityId, window: Window) -> Self {
        Self {
            entity_id: Some(entity_id),
            resource: None,
            window,
            from: Timestamp::EPOCH,
            to: Timestamp::MAX,
        }
    }
}

/// Usage of one bucket in one hour: what a store has to record, as every window is a sum of hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourOfUsage {
    /// Who consumed.
    pub entity_id: EntityId,
    /// What was consumed.
    pub resource: Resource,
    /// Whole hours since 1970-01-01 00:00 UTC.
    pub hour: u32,
    /// Net consumption by limit.
    pub counters: BTreeMap<LimitName, Millitokens>,
    /// Acquires, net of those rolled back.
    pub acquires: i64,
}

/// The hour that `instant` lies in, counted from 1970-01-01 00:00 UTC.
#[expect(clippy::cast_possible_truncation, reason = "`Timestamp::MAX` lies in hour 70,389,501")]
pub const fn hour_of(instant: Timestamp) -> u32 {
    // `Timestamp::MAX` lies in hour 70,389,502.
    (instant.as_millis() / HOUR_MS) as u32
}

/// The start of an hour.
pub const fn hour_start(hour: u32) -> Timestamp {
    Timestamp::from_millis(hour as u64 * HOUR_MS)
}

/// Sums hours into the windows that `query` asks for, by entity, resource and start. Windows in which nothing
/// happened, or everything was taken back, are left out.
pub fn roll_up(query: &UsageQuery, hours: impl IntoIterator<Item = HourOfUsage>) -> Vec<UsageSnapshot> {
    let mut windows: BTreeMap<(EntityId, Resource, Timestamp), UsageSnapshot> = BTreeMap::new();
    for hour in hours {
        let start = query.window.start(hour_start(hour.hour));
        let wanted = (query.from..query.to).contains(&start)
            && query.entity_id.as_ref().is_none_or(|id| *id == hour.entity_id)
            && query.resource.as_ref().is_none_or(|resource| *resource == hour.resource);
        if !wanted {
            continue;
        }
        let snapshot =
            windows.entry((hour.entity_id, hour.resource, start)).or_insert_with_key(|(id, resource, _)| {
                UsageSnapshot::new(id.clone(), resource.clone(), query.window, start, BTreeMap::new(), 0)
            });
        for (name, amount) in hour.counters {
            *snapshot.counters.entry(name).or_default() += amount;
        }
        snapshot.total_events += hour.acquires;
    }
    windows.into_values().filter(|snapshot| !snapshot.is_nothing()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_millis(instant.as_millisecond().try_into().unwrap())
    }

    #[test]
    fn windows_are_aligned_to_utc_and_follow_the_calendar() {
        let leap = at("2024-02-29T23:59:59.999Z");
        assert_eq!(Window::Hourly.start(leap), at("2024-02-29T23:00:00Z"));
        assert_eq!(Window::Daily.start(leap), at("2024-02-29T00:00:00Z"));
        assert_eq!(Window::Monthly.start(leap), at("2024-02-01T00:00:00Z"));
        for window in Window::ALL {
            assert_eq!(window.end(window.start(leap)), at("2024-03-01T00:00:00Z"));
        }
        assert_eq!(Window::Monthly.end(at("2023-12-01T00:00:00Z")), at("2024-01-01T00:00:00Z"));
    }

    #[test]
    fn the_last_windows_end_with_time_itself() {
        for window in Window::ALL {
            let start = window.start(Timestamp::MAX);
            assert!(start > at("9999-11-30T00:00:00Z"), "{window}: {start}");
            assert_eq!(window.end(start), Timestamp::MAX);
        }
    }

    #[test]
    fn rolls_hours_up_and_leaves_out_what_was_taken_back() {
        let hour = |day: &str, acquires, tokens| HourOfUsage {
            entity_id: EntityId::new("a").unwrap(),
            resource: Resource::new("r").unwrap(),
            hour: hour_of(at(day)),
            counters: [(LimitName::new("tpm").unwrap(), Millitokens::from_tokens(tokens))].into(),
            acquires,
        };
        let hours = [
            hour("2024-01-31T22:10:00Z", 2, 5),
            hour("2024-01-31T23:10:00Z", 1, 7),
            hour("2024-02-01T00:10:00Z", 1, 9),
            hour("2024-02-01T01:10:00Z", -1, -9),
        ];
        let query = UsageQuery::of(EntityId::new("a").unwrap(), Window::Daily);
        let days = roll_up(&query, hours);
        assert_eq!(days.len(), 1);
        assert_eq!(days[0].total_events, 3);
        assert_eq!(days[0].counters["tpm"], Millitokens::from_tokens(12));
        assert_eq!(days[0].window_end, at("2024-02-01T00:00:00Z"));
    }
}
