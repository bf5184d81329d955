//! The recorded buckets of a resource.

use zae_limiter_core::LimitScope;

use crate::harness::{Harness, ask};
use crate::shorthand::{bucket_on, id, limits, resource, tokens};

pub(crate) fn a_resource_lists_its_buckets_and_no_others(h: &Harness) {
    assert_eq!(h.listed("gpt-4"), [""; 0]);
    h.admit(&[bucket_on("bob", "gpt-4", "rpm=10/day tpm=100/day")], &tokens([1, 30]));
    h.admit(&[bucket_on("ann", "gpt-4", "rpm=20/day")], &tokens([2]));
    h.admit(&[bucket_on("ann", "gpt-4o", "rpm=30/day")], &tokens([3]));
    h.admit(&[bucket_on("ann", "gpt", "rpm=40/day")], &tokens([4]));
    ask(h.store().put_limits(&LimitScope::EntityResource(id("cleo"), resource("gpt-4")), &limits("n=1/s")));
    assert_eq!(h.listed("gpt-4"), ["ann rpm=20/day 18", "bob rpm=10/day 9", "bob tpm=100/day 70"]);
    assert_eq!(h.listed("gpt-4o"), ["ann rpm=30/day 27"]);
    assert_eq!(h.listed("gpt-4%"), [""; 0]);
}

pub(crate) fn balances_are_listed_as_they_are_now(h: &Harness) {
    h.admit(&[bucket_on("a", "r", "n=10/s m=5/min")], &tokens([10, 5]));
    h.apply(&[bucket_on("b", "r", "n=10/s")], &tokens([25]), 0);
    h.admit(&[bucket_on("parent", "r", "n=1/day")], &tokens([1]));
    assert_eq!(h.listed("r"), ["a m=5/min 0", "a n=10/s 0", "b n=10/s -15", "parent n=1/day 0"]);
    h.advance(500);
    assert_eq!(h.listed("r"), ["a m=5/min 0.041", "a n=10/s 5", "b n=10/s -10", "parent n=1/day 0"]);
    h.advance(11_500);
    assert_eq!(h.listed("r"), ["a m=5/min 1", "parent n=1/day 0"]);
}

pub(crate) fn the_limits_listed_are_those_last_taken_by(h: &Harness) {
    h.admit(&[bucket_on("a", "r", "x=10/day y=10/day")], &tokens([5, 5]));
    h.admit(&[bucket_on("a", "r", "x=20/day:burst=30 z=3/h")], &tokens([1, 1]));
    h.deny(&[bucket_on("a", "r", "x=40/day")], &tokens([5]));
    assert_eq!(h.listed("r"), ["a x=20/day:burst=30 4", "a y=10/day 5", "a z=3/h 2"]);
    // The rate is the same, but the limit is known by another capacity.
    h.apply(&[bucket_on("a", "r", "x=20/day:capacity=30")], &tokens([1]), 0);
    assert_eq!(h.listed("r"), ["a x=20/day:capacity=30 3", "a y=10/day 5", "a z=3/h 2"]);
}

pub(crate) fn long_lists_are_complete(h: &Harness) {
    let count = h.scale().pick(1_500, 500, 120);
    let name = |n: usize| format!("entity {n:05} {}", "with a long name ".repeat(12));
    for n in (0..count).rev() {
        h.admit(&[bucket_on(&name(n), "r", "n=10/day")], &tokens([4]));
    }
    let expected: Vec<String> = (0..count).map(|n| format!("{} n=10/day 6", name(n))).collect();
    assert_eq!(h.listed("r"), expected);
}
