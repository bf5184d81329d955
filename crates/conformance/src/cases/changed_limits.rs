//! Callers that come with other limits than those before: the balance is carried over, and no one is handed a
//! fresh bucket.
//!
//! A bucket that was full may have been forgotten, so each case takes something before it changes a limit.

use zae_limiter_core::Millitokens;

use crate::harness::Harness;
use crate::shorthand::{bucket, milli, tokens};

pub(crate) fn a_bigger_burst_starts_from_the_old_balance(h: &Harness) {
    h.admit(&[bucket("a", "n=10/min")], &tokens([4]));
    let bigger = [bucket("a", "n=100/min")];
    assert_eq!(h.balances(&bigger), tokens([6]));
    h.deny(&bigger, &milli([6_001]));
    h.admit(&bigger, &tokens([6]));
    h.deny(&bigger, &milli([1]));
    h.advance(600);
    h.admit(&bigger, &tokens([1]));
    h.advance(59_400);
    assert_eq!(h.balances(&bigger), tokens([99]), "filled at the new rate, and further than before");
}

pub(crate) fn a_smaller_burst_keeps_what_fits(h: &Harness) {
    h.admit(&[bucket("a", "n=100/day")], &tokens([10]));
    let smaller = [bucket("a", "n=20/day")];
    assert_eq!(h.balances(&smaller), tokens([20]));
    h.admit(&smaller, &tokens([5]));
    assert_eq!(h.balances(&smaller), tokens([15]));
    assert_eq!(h.balances(&[bucket("a", "n=100/day")]), tokens([15]), "what did not fit does not come back");
}

pub(crate) fn another_period_keeps_the_balance(h: &Harness) {
    h.admit(&[bucket("a", "n=60/min")], &tokens([50]));
    h.advance(500);
    let hourly = [bucket("a", "n=60/h")];
    assert_eq!(
        h.balances(&hourly),
        milli([10_500]),
        "what flowed in before the change did so at the old rate"
    );
    h.admit(&hourly, &tokens([10]));
    h.advance(60_000);
    assert_eq!(h.balances(&hourly), milli([1_500]), "and after it at the new one");
}

pub(crate) fn debt_is_carried_over(h: &Harness) {
    h.apply(&[bucket("a", "n=10/min")], &tokens([30]), 0);
    for text in ["n=1000/min", "n=5/s", "n=7/11h:burst=8", "n=10/min"] {
        let b = [bucket("a", text)];
        h.deny(&b, &tokens([0]));
        h.apply(&b, &tokens([1]), 0);
    }
    assert_eq!(h.balances(&[bucket("a", "n=10/min")]), tokens([-24]));
}

pub(crate) fn a_return_after_a_change_stops_at_the_new_burst(h: &Harness) {
    h.admit(&[bucket("a", "n=100/day")], &tokens([90]));
    let smaller = [bucket("a", "n=20/day")];
    h.apply(&smaller, &tokens([-90]), 0);
    assert_eq!(h.balances(&smaller), tokens([20]));
    h.admit(&smaller, &tokens([20]));
    h.deny(&smaller, &milli([1]));
}

pub(crate) fn one_more_limit_is_full_and_leaves_the_others(h: &Harness) {
    h.admit(&[bucket("a", "x=10/day")], &tokens([7]));
    let more = [bucket("a", "y=5/day x=10/day")];
    assert_eq!(h.balances(&more), tokens([5, 3]));
    h.deny(&more, &tokens([1, 4]));
    h.admit(&more, &tokens([1, 3]));
    assert_eq!(h.balances(&more), tokens([4, 0]));
}

pub(crate) fn limits_not_named_stay_as_they_are(h: &Harness) {
    let both = [bucket("a", "x=10/day y=5/s")];
    h.admit(&both, &tokens([10, 5]));
    let fewer = [bucket("a", "y=5/s")];
    h.advance(1_000);
    h.admit(&fewer, &tokens([4]));
    h.deny(&fewer, &tokens([2]));
    assert_eq!(h.balances(&both), tokens([0, 1]));
    h.apply(&fewer, &tokens([3]), 0);
    h.advance(86_400_000 / 10 - 1_000);
    assert_eq!(h.balances(&both), tokens([1, 5]), "refilled all the while");
    h.admit(&[bucket("a", "x=10/day")], &tokens([1]));
    h.deny(&both, &milli([1, 0]));
}

pub(crate) fn another_order_is_no_change(h: &Harness) {
    let forth = [bucket("a", "x=10/day y=20/day z=30/day")];
    let back = [bucket("a", "z=30/day y=20/day x=10/day")];
    for _ in 0..2 {
        h.admit(&forth, &tokens([1, 2, 3]));
        h.admit(&back, &tokens([3, 2, 1]));
    }
    assert_eq!(h.balances(&forth), tokens([6, 12, 18]));
    assert_eq!(h.balances(&back), tokens([18, 12, 6]));
}

pub(crate) fn two_callers_with_different_limits_share_one_balance(h: &Harness) {
    let (wide, narrow) = ([bucket("a", "n=100/day")], [bucket("a", "n=50/day:burst=60")]);
    h.admit(&wide, &tokens([10]));
    for left in [50, 30, 10] {
        h.admit(&narrow, &tokens([10]));
        assert_eq!(h.balances(&wide), tokens([left]));
        h.admit(&wide, &tokens([10]));
    }
    h.deny(&narrow, &milli([1]));
    h.deny(&wide, &milli([1]));
}

pub(crate) fn changing_to_and_fro_makes_nothing_and_wears_nothing_away(h: &Harness) {
    let terms = ["n=100/7s", "n=100/11s", "n=90/13s:burst=100"].map(|text| [bucket("a", text)]);
    let (turns, every_ms) = h.scale().pick((2_000, 1), (500, 4), (100, 20));
    h.admit(&terms[0], &milli([33_333]));
    for turn in 0..turns {
        h.admit(&terms[turn % terms.len()], &tokens([0]));
    }
    let left = h.balances(&terms[0])[0];
    // Each change may lose a fraction of a millitoken that the new period cannot express.
    assert!((Millitokens::new(66_666)..=Millitokens::new(66_667)).contains(&left), "{left}");

    let mut sum = 0;
    for turn in 0..turns {
        h.advance(every_ms);
        sum += i32::from(h.admits(&terms[turn % terms.len()], &tokens([1])));
    }
    // In 2 s, 13.8 tokens flow in at the slowest of the rates and 28.6 at the fastest.
    assert!((66 + 13..=66 + 28 + 1).contains(&sum), "{sum} admitted");
}

pub(crate) fn a_denied_take_changes_no_limit(h: &Harness) {
    let b = [bucket("a", "n=100/day")];
    h.admit(&b, &tokens([10]));
    let smaller = [bucket("a", "n=5/day")];
    h.deny(&smaller, &tokens([6]));
    assert_eq!(h.balances(&b), tokens([90]), "what did not fit the limit of a denied take is still there");
    h.admit(&b, &tokens([90]));
    h.deny(&[bucket("a", "n=1000/s")], &tokens([1]));
    h.advance(1_000);
    assert_eq!(h.balances(&b), milli([1]), "refilled at the rate of the last take that was admitted");

    h.deny(&[bucket("new", "n=5/day")], &tokens([6]));
    h.admit(&[bucket("new", "n=100/day")], &tokens([100]));
}
