//! Bugs that were, each under its name, and edges that chance seldom finds.

use zae_limiter_core::{EntityId, FullAt, Level, Limit, LimitSet, Millitokens, Resource, Timestamp};
use zae_limiter_store_dynamodb::execute::execute;
use zae_limiter_store_dynamodb::item::{BucketItem, Known, Writer};
use zae_limiter_store_dynamodb::plan::{Asked, BucketWrite, EXPIRY_MARGIN_S, Kind, Stamp, plan};

use crate::case::{NOW_MS, stamp};

const NOW: Timestamp = Timestamp::from_millis(NOW_MS);

fn level(limit: &str) -> Level {
    Level {
        entity_id: EntityId::new("e").unwrap(),
        resource: Resource::new("r").unwrap(),
        limits: limit.parse().unwrap(),
    }
}

fn planned(kind: Kind, level: &Level, milli: i64, known: Option<&Known>, number: u64) -> BucketWrite {
    let amounts = vec![Millitokens::new(milli); level.limits.len()];
    let asked = Asked { level, amounts: &amounts, acquires: 1, kind };
    plan(asked, known, |_| false, NOW, stamp(number))
}

/// The item as it is.
fn seen(item: Option<&BucketItem>) -> Known {
    Known { item: item.cloned(), at: NOW }
}

/// What is asked, carried out with exact knowledge.
fn carried_out(
    kind: Kind,
    level: &Level,
    milli: i64,
    item: Option<&BucketItem>,
    number: u64,
) -> Option<BucketItem> {
    execute(item, &planned(kind, level, milli, Some(&seen(item)), number)).ok()
}

fn state(item: &BucketItem, limits: &LimitSet) -> FullAt {
    item.limits[limits[0].name()].full_at
}

#[test]
fn a_changed_limit_does_not_let_a_take_overdraw() {
    let (old, new) = (level("n=100/min"), level("n=10/min"));
    let item = carried_out(Kind::Take, &old, 95_000, None, 1).unwrap();
    // 5 are left, and carried over to the new limit.
    assert_eq!(carried_out(Kind::Take, &new, 6_000, Some(&item), 2), None);
    assert!(carried_out(Kind::Take, &new, 5_000, Some(&item), 2).is_some());
}

#[test]
fn more_than_the_burst_is_not_taken_from_a_full_bucket() {
    let level = level("n=10/min");
    for known in [None, Some(&seen(None))] {
        assert!(execute(None, &planned(Kind::Take, &level, 10_001, known, 1)).is_err());
    }
}

#[test]
fn debt_ends_where_the_arithmetic_does() {
    // One token takes a year: a trillion of them is as much as can be owed.
    let limit = Limit::new("n", 1, 1, 1, 31_536_000).unwrap();
    let level = Level { limits: LimitSet::new([limit.clone()]).unwrap(), ..level("n=1/min") };
    let trillion = 1_000_000_000_000_000;
    let mut item = carried_out(Kind::Take, &level, 1_000, None, 1).unwrap();
    for number in 2..5 {
        item = carried_out(Kind::Apply, &level, trillion, Some(&item), number).unwrap();
        assert!(state(&item, &level.limits).scaled() <= limit.rate().scaled_max());
    }
    assert_eq!(state(&item, &level.limits).scaled(), limit.rate().scaled_max());
}

#[test]
fn an_item_that_was_deleted_is_not_made_again_without_its_keys_and_expiry() {
    let level = level("n=10/min");
    let before = carried_out(Kind::Take, &level, 1_000, None, 1).unwrap();
    // A rollback of a take of nothing, and a first charge of another limit: both without a condition on the state.
    let other = Level { limits: "m=10/min".parse().unwrap(), ..level.clone() };
    for (level, milli) in [(&level, 0), (&other, 1_000), (&other, -1_000)] {
        assert!(execute(None, &planned(Kind::Apply, level, milli, Some(&seen(Some(&before))), 2)).is_err());
        let made = carried_out(Kind::Apply, level, milli, None, 2).unwrap();
        assert!(made.ttl > NOW_MS / 1_000);
    }
}

#[test]
fn a_kept_expiry_leaves_time_for_late_writes() {
    let level = level("n=10/sec");
    let mut item = carried_out(Kind::Take, &level, 1_000, None, 1).unwrap();
    // Soon to be deleted, when one more write comes.
    item.ttl = NOW_MS / 1_000 + 2;
    let item = carried_out(Kind::Take, &level, 1_000, Some(&item), 2).unwrap();
    assert!(item.ttl >= NOW_MS / 1_000 + EXPIRY_MARGIN_S);
}

#[test]
fn an_item_that_has_expired_is_not_written_without_a_new_expiry() {
    // It may be deleted the moment after, and a retry of the write would not be recognised.
    let level = level("n=10/sec");
    let mut item = carried_out(Kind::Take, &level, 1_000, None, 1).unwrap();
    item.ttl = NOW_MS / 1_000 - 9_000;
    for (kind, milli) in [(Kind::Take, 0), (Kind::Apply, 0), (Kind::Apply, -1)] {
        let item = carried_out(kind, &level, milli, Some(&item), 2).unwrap();
        assert!(item.ttl >= NOW_MS / 1_000 + EXPIRY_MARGIN_S);
    }
}

#[test]
fn small_charges_do_not_push_the_expiry_ever_further() {
    let level = level("n=1000/sec");
    let mut item = carried_out(Kind::Take, &level, 1_000, None, 1).unwrap();
    for number in 2..10_000 {
        item = carried_out(Kind::Apply, &level, 1, Some(&item), number).unwrap();
    }
    assert!(item.ttl <= NOW_MS / 1_000 + 3 * EXPIRY_MARGIN_S, "{} s ahead", item.ttl - NOW_MS / 1_000);
}

#[test]
fn changing_limits_to_and_fro_by_clocks_that_differ_makes_nothing() {
    let (slow, fast) = (level("n=60/min"), level("n=60/sec"));
    let clock = |ms: u64| Timestamp::from_millis(NOW_MS + ms);
    // The clock that is ahead sees a second more of the fast refill, and the one that is behind a second less of the
    // slow one.
    let processes =
        [(&slow, clock(1_000), Writer::from_number(1)), (&fast, clock(0), Writer::from_number(2))];
    let mut item = carried_out(Kind::Take, &slow, 30_000, None, 0);
    let mut admitted = 0;
    for number in 1..200 {
        for (level, now, writer) in processes {
            let known = Known { item: item.clone(), at: now };
            let amounts = [Millitokens::new(1_000)];
            let asked = Asked { level, amounts: &amounts, acquires: 1, kind: Kind::Take };
            let stamp = Stamp::new(writer, now.as_millis() * 1_000 + number);
            if let Ok(after) = execute(item.as_ref(), &plan(asked, Some(&known), |_| false, now, stamp)) {
                item = Some(after);
                admitted += 1;
            }
        }
    }
    assert!(admitted <= 30 + 60, "{admitted} tokens of 30, and what flows in during a second");
}

#[test]
fn a_charge_that_finds_more_debt_than_was_known_does_not_leave_the_expiry_behind() {
    let level = level("n=60/min");
    let known = carried_out(Kind::Take, &level, 1_000, None, 1).unwrap();
    // Others charge a minute at a time, up to what the expiry covers.
    let mut item = known.clone();
    for number in 2..200 {
        item = carried_out(Kind::Apply, &level, 60_000, Some(&item), number).unwrap();
        let charge = planned(Kind::Apply, &level, 100_000_000, Some(&seen(Some(&known))), number + 1_000);
        if let Ok(after) = execute(Some(&item), &charge) {
            let full_at = level.limits[0].rate().full_at_ms(state(&after, &level.limits));
            assert!((after.ttl - EXPIRY_MARGIN_S) * 1_000 >= full_at, "after {number} charges");
        }
    }
}

#[test]
fn a_take_is_admitted_down_to_the_last_fraction_of_a_millitoken() {
    let level = level("n=7/min");
    let rate = level.limits[0].rate();
    for asked in [0, 1, 3_500, 7_000] {
        for more in -2..=2 {
            let mut item = carried_out(Kind::Take, &level, 7_000, None, 1).unwrap();
            let last = rate.scaled_now(NOW) + rate.scaled_burst() - rate.scaled_cost(Millitokens::new(asked));
            item.limits.values_mut().for_each(|held| held.full_at = FullAt::from_scaled(last + more));
            let taken = carried_out(Kind::Take, &level, asked, Some(&item), 2);
            assert_eq!(taken.is_some(), more <= 0, "{asked} millitokens, {more} too far");
        }
    }
}
