//! What a reading says, and that it only reads.

use zae_limiter_core::{Decision, LimitStatus, UsageQuery, Window};

use crate::harness::Harness;
use crate::shorthand::{bucket, bucket_on, id, milli, tokens};

pub(crate) fn i8_an_absent_bucket_reads_full(h: &Harness) {
    let b = [bucket("a", "x=5/s y=7/min:burst=9"), bucket("b", "z=1/day")];
    assert_eq!(h.balances(&b), tokens([5, 9, 1]));
}

pub(crate) fn reading_changes_nothing(h: &Harness) {
    let b = [bucket("a", "n=10/min")];
    let other = [bucket("a", "n=5/h more=3/s")];
    h.balances(&b);
    assert_eq!(h.listed("r"), [""; 0]);
    h.admit(&b, &tokens([4]));
    let before = h.listed("r");
    for _ in 0..3 {
        assert_eq!(
            h.balances(&other),
            tokens([5, 3]),
            "carried over to the limit asked about, but only for it"
        );
        h.balances(&b);
    }
    assert_eq!(h.listed("r"), before);
    h.advance(6_000);
    assert_eq!(h.balances(&b), tokens([7]), "refilled by the limit of the record");
    assert_eq!(h.usage_of("a", Window::Hourly), ["a r 2096-02-28T10:00:00Z n=4 events=1"]);
}

pub(crate) fn states_come_in_the_order_asked_for(h: &Harness) {
    let b = [bucket("b", "z=10/s x=20/s y=30/s"), bucket("a", "q=40/s p=50/s")];
    let after = h.admit(&b, &tokens([1, 2, 3, 4, 5]));
    assert!(after.balances(&b).eq(tokens([9, 18, 27, 36, 45])), "{after:?}");
    let permuted = [bucket("a", "p=50/s q=40/s"), bucket("b", "y=30/s z=10/s x=20/s")];
    assert_eq!(h.balances(&permuted), tokens([45, 36, 27, 9, 18]));
    let after = h.admit(&permuted, &tokens([1, 0, 1, 2, 3]));
    assert!(after.balances(&permuted).eq(tokens([44, 36, 26, 7, 15])), "{after:?}");
    let found: Vec<_> =
        h.deny(&permuted, &tokens([0, 37, 0, 8, 0])).iter().map(LimitStatus::is_exceeded).collect();
    assert_eq!(found, [false, true, false, true, false]);
    assert_eq!(h.balances(&b), tokens([7, 15, 26, 36, 44]));
}

pub(crate) fn a_denial_tells_the_states_found(h: &Harness) {
    let b = [bucket("a", "x=10/s y=10/s"), bucket("b", "n=10/s")];
    h.admit(&b, &tokens([1, 2, 3]));
    h.apply(&b[1..], &tokens([9]), 0);
    let available: Vec<_> = h.deny(&b, &tokens([1, 1, 1])).iter().map(|status| status.available).collect();
    assert_eq!(available, tokens([9, 8, -2]).to_vec());
}

pub(crate) fn every_answer_is_of_the_store_s_own_time(h: &Harness) {
    let b = [bucket("a", "n=1000/s")];
    h.admit(&b, &tokens([1_000]));
    for elapsed in [1, 1, 7, 500] {
        h.advance(elapsed);
        // `Harness` compares the time of each reading with the clock.
        h.read(&b);
        h.admit(&b, &milli([1]));
        h.deny(&b, &tokens([999]));
    }
}

pub(crate) fn one_entity_has_a_bucket_for_each_resource(h: &Harness) {
    let (r, s) = ([bucket_on("a", "r", "n=10/day")], [bucket_on("a", "s", "n=10/day")]);
    h.admit(&r, &tokens([10]));
    h.admit(&s, &tokens([3]));
    assert_eq!((h.balances(&r), h.balances(&s)), (tokens([0]), tokens([7])));
    let both = [r[0].clone(), s[0].clone()];
    assert!(matches!(h.take(&both, &tokens([1, 1]), 1), Decision::Denied(_)));
    assert_eq!(h.balances(&both), tokens([0, 7]));
    let query =
        UsageQuery { resource: Some(s[0].resource.clone()), ..UsageQuery::of(id("a"), Window::Hourly) };
    assert_eq!(h.usage(&query), ["a s 2096-02-28T10:00:00Z n=3 events=1"]);
}
