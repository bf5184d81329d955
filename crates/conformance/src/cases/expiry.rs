//! An absent bucket is a full bucket, and a bucket that is not full is never absent (I8).

use zae_limiter_core::{Level, UsageQuery, Window};

use crate::harness::Harness;
use crate::shorthand::{bucket, bucket_on, id, milli, resource, tokens};

/// So many buckets come and go that a store with an appetite for forgetting forgets.
fn bustle(h: &Harness, round: u64) {
    let like = bucket_on("passer-by", "street", "n=1/s");
    for n in 0..h.scale().pick(12_500, 500, 3) {
        let passer_by = |k| Level { entity_id: id(&format!("passer-by {round} {n} {k}")), ..like.clone() };
        h.admit(&std::array::from_fn::<_, 8, _>(passer_by), &tokens([1; 8]));
    }
}

pub(crate) fn a_bucket_that_is_not_full_is_never_forgotten(h: &Harness) {
    // Full again after 24 min, 100 s and 1 ms.
    let kept: Vec<_> = (0..h.scale().pick(200, 50, 5))
        .map(|n| [bucket(&format!("entity {n}"), "slow=100/h mid=1/s:burst=100 fast=1000/s")])
        .collect();
    for b in &kept {
        h.admit(b, &tokens([40, 100, 1]));
    }
    for (elapsed, expected) in [
        (2, milli([60_000, 2, 1_000_000])),
        (99_999, milli([62_777, 99_999, 1_000_000])),
        (100_000, milli([62_777, 100_000, 1_000_000])),
        (1_439_999, milli([99_999, 100_000, 1_000_000])),
        (1_440_000, milli([100_000, 100_000, 1_000_000])),
    ] {
        h.set(elapsed);
        if elapsed == 1_439_999 {
            bustle(h, 0);
        }
        for b in &kept {
            assert_eq!(h.balances(b), expected, "{elapsed} ms later");
        }
    }
    for b in &kept {
        h.admit(b, &tokens([100, 100, 1_000]));
        h.deny(b, &milli([1, 0, 0]));
    }
}

pub(crate) fn debt_outlives_every_bustle(h: &Harness) {
    let b = [bucket("a", "n=10/s")];
    h.apply(&b, &tokens([10_010]), 0);
    for elapsed in [500_000, 999_999] {
        h.set(elapsed);
        bustle(h, elapsed);
        h.deny(&b, &tokens([0]));
    }
    h.set(1_000_000);
    assert_eq!(h.balances(&b), tokens([0]));
}

pub(crate) fn a_bucket_full_for_long_is_as_good_as_new(h: &Harness) {
    let b = [bucket("a", "n=10/s more=5/min")];
    for _ in 0..3 {
        h.admit(&b, &tokens([10, 5]));
        h.deny(&b, &milli([1, 0]));
        h.deny(&b, &milli([0, 1]));
        h.advance(3_600_000);
        assert_eq!(h.balances(&b), tokens([10, 5]));
    }
}

pub(crate) fn a_year_is_not_too_long_for_a_slow_limit(h: &Harness) {
    let year = 365 * 86_400_000;
    let b = [bucket("a", "n=2/3650day")];
    h.admit(&b, &tokens([2]));
    h.advance(year);
    assert_eq!(h.balances(&b), milli([200]));
    h.advance(9 * year);
    assert_eq!(h.balances(&b), tokens([2]));
}

pub(crate) fn usage_outlives_the_bucket(h: &Harness) {
    let users = h.scale().pick(100, 50, 5);
    for n in 0..users {
        h.admit(&[bucket(&format!("entity {n}"), "n=10/s")], &tokens([10]));
    }
    h.advance(60_000);
    bustle(h, 0);
    let query = UsageQuery {
        entity_id: None,
        resource: Some(resource("r")),
        ..UsageQuery::of(id("a"), Window::Hourly)
    };
    let mut expected: Vec<String> =
        (0..users).map(|n| format!("entity {n} r 2096-02-28T10:00:00Z n=10 events=1")).collect();
    expected.sort_by_key(|line| line.split(" r ").next().map(str::to_owned));
    assert_eq!(h.usage(&query), expected);
}
