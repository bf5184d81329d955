//! Usage is counted with each change, hour by hour, and kept for a time.

use std::time::Duration;

use zae_limiter_core::usage::HOUR_MS;
use zae_limiter_core::{Millitokens, Store, Timestamp, UsageQuery, UsageSnapshot, Window};
use zae_limiter_store_embedded::{SqliteOptions, SqliteStore};

use crate::fixture::{Fixture, START, apply, entity, level, resource, take};

fn usage(store: &SqliteStore, query: &UsageQuery) -> Vec<UsageSnapshot> {
    pollster::block_on(store.usage(query)).unwrap()
}

/// Tokens of `a` and acquires, window by window.
fn tokens(snapshots: &[UsageSnapshot]) -> Vec<(i64, i64)> {
    let of_a = |s: &UsageSnapshot| (s.counters.get("a").map_or(0, |a| a.whole_tokens()), s.total_events);
    snapshots.iter().map(of_a).collect()
}

#[test]
fn past_hours_and_the_present_one_add_up() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let levels = [level("key", "a=1k/s, b=1k/s")];
    for hour in 1..=3 {
        assert!(take(&store, &levels, hour));
        apply(&store, &levels, 10, 0);
        fixture.advance(3_600);
    }
    let hourly = usage(&store, &UsageQuery::of(entity("key"), Window::Hourly));
    assert_eq!(tokens(&hourly), [(11, 1), (12, 1), (13, 1)]);
    assert_eq!(hourly[0].counters["b"], Millitokens::from_tokens(11));
    assert_eq!(hourly[0].window_start, Window::Hourly.start(START));
    assert_eq!(tokens(&usage(&store, &UsageQuery::of(entity("key"), Window::Monthly))), [(36, 3)]);
    assert_eq!(fixture.number("SELECT count(*) FROM usage"), 2, "the present hour is counted in the bucket");
}

#[test]
fn a_clock_that_goes_back_adds_to_the_hour_it_goes_back_to() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let levels = [level("key", "a=1k/s")];
    for at in [0, HOUR_MS, 0, HOUR_MS, 0] {
        fixture.clock.set(Timestamp::from_millis(START.as_millis() + at));
        apply(&store, &levels, 5, 1);
    }
    let hourly = usage(&store, &UsageQuery::of(entity("key"), Window::Hourly));
    assert_eq!(tokens(&hourly), [(15, 3), (10, 2)]);
}

#[test]
fn a_denial_counts_nothing_and_a_rollback_takes_its_count_back() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let levels = [level("key", "a=10/d")];
    assert!(take(&store, &levels, 6));
    assert!(!take(&store, &levels, 6));
    let query = UsageQuery::of(entity("key"), Window::Daily);
    assert_eq!(tokens(&usage(&store, &query)), [(6, 1)]);
    apply(&store, &levels, -6, -1);
    assert_eq!(usage(&store, &query), []);
}

#[test]
fn queries_select_entity_resource_and_time() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for (hour, id, on) in [(0, "x", "r"), (0, "y", "r"), (1, "x", "s"), (5, "x", "r"), (24, "x", "r")] {
        fixture.clock.set(Timestamp::from_millis(START.as_millis() + hour * HOUR_MS));
        let mut level = level(id, "a=1k/s");
        level.resource = resource(on);
        assert!(take(&store, &[level], 1));
    }
    let after = |hours: u64| START.after(Duration::from_hours(hours));
    let count = |entity_id: Option<&str>, on: Option<&str>, window, from, to| {
        let mut query = UsageQuery::of(entity("x"), window);
        query.entity_id = entity_id.map(entity);
        query.resource = on.map(resource);
        (query.from, query.to) = (from, to);
        usage(&store, &query).iter().map(|s| s.total_events).sum::<i64>()
    };
    let (epoch, max) = (Timestamp::EPOCH, Timestamp::MAX);
    assert_eq!(count(None, None, Window::Hourly, epoch, max), 5);
    assert_eq!(count(Some("x"), None, Window::Hourly, epoch, max), 4);
    assert_eq!(count(None, Some("r"), Window::Hourly, epoch, max), 4);
    assert_eq!(count(Some("x"), Some("r"), Window::Monthly, epoch, max), 3);
    assert_eq!(count(None, None, Window::Hourly, after(0), after(4)), 1, "windows that start in between");
    assert_eq!(count(None, None, Window::Hourly, after(0), after(6)), 2);
    assert_eq!(count(None, None, Window::Daily, Window::Daily.start(START), after(0)), 3, "the whole day");
    assert_eq!(count(None, None, Window::Daily, after(0), after(24)), 2, "the whole next day");
    assert_eq!(count(None, None, Window::Daily, after(1), after(1)), 0);
}

#[test]
fn old_usage_makes_way_little_by_little() {
    let fixture = Fixture::new();
    let mut options = SqliteOptions::default();
    options.retention = Duration::from_hours(10);
    let store = fixture.open_with(options).unwrap();
    let levels = [level("key", "a=1k/s")];
    let rows = || fixture.number("SELECT count(*) FROM usage");
    for _ in 0..10 {
        assert!(take(&store, &levels, 1));
        fixture.advance(3_600);
    }
    assert_eq!(rows(), 9);
    // A long pause: everything is old. The next new hours clear it away, a few rows each.
    fixture.advance(100 * 3_600);
    assert!(take(&store, &levels, 1));
    assert_eq!(rows(), 6, "one came, four went");
    for _ in 0..30 {
        fixture.advance(3_600);
        assert!(take(&store, &levels, 1));
        assert!(rows() <= 11);
    }
    assert_eq!(rows(), 10, "the ten hours before this one");
    assert_eq!(
        fixture.number("SELECT min(hour) FROM usage"),
        fixture.number("SELECT max(hour) - 9 FROM usage")
    );
}
