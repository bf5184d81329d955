//! Rows of full buckets go, little by little; no other row ever does (invariant I8).

use zae_limiter_core::{Store, UsageQuery, Window};

use crate::fixture::{Fixture, balances, entity, level, take};

fn rows(fixture: &Fixture, like: &str) -> i64 {
    fixture.number(&format!("SELECT count(*) FROM bucket WHERE entity_id LIKE '{like}'"))
}

#[test]
fn full_buckets_lose_their_rows_and_others_keep_them() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for i in 0..1_000 {
        let limits = if i % 10 == 0 { "a=100/s, b=100/d" } else { "a=100/s" };
        assert!(take(&store, &[level(&format!("old-{i}"), limits)], 60));
    }
    // Two hours: long enough for those of a second, not for those of a day.
    fixture.advance(7_200);
    let mut before = rows(&fixture, "old-%");
    for i in 0..600 {
        assert!(take(&store, &[level(&format!("new-{i}"), "a=100/h")], 60));
        let after = rows(&fixture, "old-%");
        assert!(before - after <= 8, "one write removed {} rows", before - after);
        before = after;
    }
    assert_eq!(rows(&fixture, "old-%"), 100, "those that are not full");
    assert_eq!(rows(&fixture, "old-%0"), 100);
    assert_eq!(rows(&fixture, "new-%"), 600);
    for i in (0..1_000).step_by(10) {
        let balances = balances(&store, &[level(&format!("old-{i}"), "a=100/s, b=100/d")]);
        assert_eq!(balances, [100, 48], "8 of 100 a day came back in two hours");
    }
}

#[test]
fn usage_outlives_the_row() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert!(take(&store, &[level("old", "a=100/s")], 60));
    fixture.advance(7_200);
    for i in 0..64 {
        assert!(take(&store, &[level(&format!("new-{i}"), "a=100/s")], 1));
    }
    assert_eq!(rows(&fixture, "old"), 0);
    let query = UsageQuery::of(entity("old"), Window::Hourly);
    let usage = pollster::block_on(store.usage(&query)).unwrap();
    assert_eq!((usage[0].counters["a"].whole_tokens(), usage[0].total_events), (60, 1));
    assert!(take(&store, &[level("old", "a=100/s")], 100));
}

#[test]
fn a_row_is_not_removed_as_soon_as_it_is_full() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert!(take(&store, &[level("often used", "a=100/s")], 60));
    fixture.advance(60);
    for i in 0..64 {
        assert!(take(&store, &[level(&format!("new-{i}"), "a=100/s")], 1));
    }
    assert_eq!(rows(&fixture, "often used"), 1);
}

#[test]
fn a_table_of_buckets_used_once_stays_small() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for i in 0..5_000 {
        fixture.advance(36);
        assert!(take(&store, &[level(&format!("once-{i}"), "a=100/s")], 1));
    }
    let rows = rows(&fixture, "once-%");
    assert!(rows <= 300, "{rows} rows, of which 100 were used within the last hour");
    let usage = pollster::block_on(
        store.usage(&UsageQuery { entity_id: None, ..UsageQuery::of(entity("any"), Window::Monthly) }),
    );
    assert_eq!(usage.unwrap().iter().map(|s| s.total_events).sum::<i64>(), 5_000);
}

#[test]
fn a_damaged_row_in_the_way_is_left_alone() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for i in 0..10 {
        assert!(take(&store, &[level(&format!("old-{i}"), "a=100/s")], 60));
    }
    fixture.raw().execute("UPDATE bucket SET state = '?' WHERE entity_id = 'old-3'", []).unwrap();
    fixture.advance(7_200);
    for i in 0..64 {
        assert!(take(&store, &[level(&format!("new-{i}"), "a=100/s")], 1));
    }
    assert_eq!(rows(&fixture, "old-%"), 1);
}
