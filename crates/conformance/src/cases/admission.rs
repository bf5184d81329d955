//! What is admitted at one instant (I1).

use zae_limiter_core::amount::MAX_TOKENS;
use zae_limiter_core::limit::{MAX_LIMITS, MAX_PERIOD_SECONDS};
use zae_limiter_core::{Amounts, Level, Limit, LimitStatus, Millitokens, Wait};

use crate::harness::Harness;
use crate::shorthand::{bucket, burst_of, id, milli, resource, set_of, tokens, valid};

pub(crate) fn a_fresh_bucket_holds_its_burst_and_no_more(h: &Harness) {
    let b = [bucket("a", "n=10/day:burst=15")];
    for left in (0..15).rev() {
        let after = h.admit(&b, &tokens([1]));
        assert!(after.balances(&b).eq(tokens([left])), "the states after it");
    }
    let statuses = h.deny(&b, &milli([1]));
    assert_eq!(statuses[0].available, Millitokens::ZERO);
}

pub(crate) fn thousandths_of_a_token_count(h: &Harness) {
    let b = [bucket("a", "n=1/day")];
    h.admit(&b, &milli([999]));
    h.deny(&b, &milli([2]));
    h.admit(&b, &milli([1]));
    h.deny(&b, &milli([1]));
}

pub(crate) fn every_limit_of_a_bucket_has_its_say(h: &Harness) {
    let b = [bucket("a", "rpm=3/min tpm=100/min")];
    h.admit(&b, &tokens([1, 60]));
    let statuses = h.deny(&b, &tokens([1, 41]));
    let exceeded: Vec<bool> = statuses.iter().map(LimitStatus::is_exceeded).collect();
    assert_eq!(exceeded, [false, true]);
    assert_eq!(
        (statuses[0].available, statuses[1].available),
        (Millitokens::from_tokens(2), Millitokens::from_tokens(40))
    );
    h.admit(&b, &tokens([2, 40]));
    assert!(h.deny(&b, &tokens([1, 1])).iter().all(LimitStatus::is_exceeded));
}

pub(crate) fn more_than_the_burst_is_never_admitted_and_leaves_nothing(h: &Harness) {
    let b = [bucket("a", "n=10/s:burst=20")];
    for _ in 0..2 {
        assert_eq!(h.deny(&b, &milli([20_001]))[0].wait, Wait::Never);
        assert_eq!(h.balances(&b), tokens([20]));
        h.advance(1_000);
    }
    h.admit(&b, &tokens([20]));
    assert_eq!(h.deny(&b, &tokens([21]))[0].wait, Wait::Never);
    h.advance(3_600_000);
    assert_eq!(h.deny(&b, &tokens([i64::MAX / 1000]))[0].wait, Wait::Never);
}

pub(crate) fn nothing_is_admitted_unless_in_debt(h: &Harness) {
    let b = [bucket("a", "n=10/s")];
    let nothing = tokens([0]);
    h.admit(&b, &nothing);
    h.admit(&b, &tokens([10]));
    h.admit(&b, &nothing);
    h.apply(&b, &milli([1]), 0);
    h.deny(&b, &nothing);
    h.advance(1);
    h.admit(&b, &nothing);
    assert_eq!(h.balances(&b), milli([9]));
}

pub(crate) fn debt_of_one_limit_denies_a_request_for_another(h: &Harness) {
    let b = [bucket("a", "rpm=10/s tpm=100/s")];
    h.apply(&b, &tokens([0, 101]), 0);
    h.deny(&b, &tokens([1, 0]));
    h.advance(10);
    h.admit(&b, &tokens([1, 0]));
}

pub(crate) fn as_many_limits_share_a_bucket_as_may(h: &Harness) {
    let count = valid(u64::try_from(MAX_LIMITS));
    let many = (1..=count).map(|n| valid(Limit::per_hour(format!("limit-{n}"), 10 * n)));
    let b = [Level { entity_id: id("a"), resource: resource("r"), limits: set_of(many) }];
    let each: Amounts =
        b[0].limits.iter().map(|limit| Millitokens::from_tokens(1) + burst_of(limit)).collect();
    assert!(h.deny(&b, &each).iter().all(|status| status.wait == Wait::Never));

    let last_only: Amounts =
        (1..=count).map(|n| Millitokens::from_tokens(if n == count { 640 } else { 0 })).collect();
    h.admit(&b, &last_only);
    let ones: Amounts = (1..=count).map(|_| Millitokens::from_tokens(1)).collect();
    let denied: Vec<_> = h.deny(&b, &ones).iter().map(LimitStatus::is_exceeded).collect();
    assert_eq!(denied.iter().position(|denied| *denied), Some(MAX_LIMITS - 1));
    let expected: Amounts = b[0]
        .limits
        .iter()
        .map(|limit| if limit.burst() == 640 { Millitokens::ZERO } else { burst_of(limit) })
        .collect();
    assert_eq!(h.balances(&b), expected);
}

pub(crate) fn the_greatest_numbers_do_not_overflow(h: &Harness) {
    let most = valid(i64::try_from(MAX_TOKENS));
    let of =
        |name, limit| Level { entity_id: id(name), resource: resource("r"), limits: set_of([valid(limit)]) };

    let vast = [of("vast", Limit::new("n", MAX_TOKENS, MAX_TOKENS, MAX_TOKENS, MAX_PERIOD_SECONDS))];
    h.admit(&vast, &tokens([most]));
    h.deny(&vast, &milli([1]));
    h.apply(&vast, &tokens([most]), 0);
    assert_eq!(h.balances(&vast), tokens([-most]));
    h.apply(&vast, &tokens([-most]), 0);
    h.apply(&vast, &tokens([-most]), 0);
    assert_eq!(h.balances(&vast), tokens([most]));

    let slow = [of("slow", Limit::new("n", 1, 1, 1, MAX_PERIOD_SECONDS))];
    assert_eq!(h.deny(&slow, &tokens([most]))[0].wait, Wait::Never);
    for _ in 0..3 {
        h.apply(&slow, &tokens([most]), 0);
    }
    h.deny(&slow, &tokens([0]));

    let fast = [of("fast", Limit::new("n", 1, MAX_TOKENS, MAX_TOKENS, 1))];
    h.admit(&fast, &tokens([most]));
    h.advance(1);
    assert_eq!(h.balances(&fast), tokens([most / 1000]));
}

pub(crate) fn a_clock_that_goes_back_hands_out_nothing(h: &Harness) {
    let b = [bucket("a", "n=10/s")];
    h.set(60_000);
    h.admit(&b, &tokens([10]));
    for earlier in [59_999, 59_000, 50_000, 0] {
        h.set(earlier);
        h.deny(&b, &milli([1]));
    }
    h.set(60_000);
    h.deny(&b, &milli([1]));
    h.set(60_100);
    h.admit(&b, &tokens([1]));
    h.deny(&b, &milli([1]));
}
