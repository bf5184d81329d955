//! What flows in, over time (I1, I2).

use zae_limiter_core::{Amounts, Decision, Level, Millitokens};

use crate::harness::Harness;
use crate::shorthand::{bucket, tokens, valid};

const DAY_MS: u64 = 86_400_000;

/// How many of the takes of one token, one a step, are admitted.
fn admitted(h: &Harness, levels: &[Level], every_ms: u64, steps: u64) -> u64 {
    let mut admitted = 0;
    for _ in 0..steps {
        h.advance(every_ms);
        admitted += u64::from(h.admits(levels, &tokens([1])));
    }
    admitted
}

pub(crate) fn an_idle_spell_is_worth_one_burst(h: &Harness) {
    let b = [bucket("a", "n=60/6s")];
    h.admit(&b, &tokens([60]));
    h.advance(7_999);
    let (every_ms, steps) = h.scale().pick((1, 2_000), (4, 500), (20, 100));
    assert_eq!(
        admitted(h, &b, every_ms, steps),
        60 + 19,
        "a burst, and what flows in between the first and the last of them"
    );

    h.advance(3_600_000);
    h.admit(&b, &tokens([60]));
    h.deny(&b, &tokens([1]));
    h.advance(100);
    h.admit(&b, &tokens([1]));
    h.deny(&b, &tokens([1]));
}

pub(crate) fn seven_a_minute_are_seven_a_minute(h: &Harness) {
    let b = [bucket("a", "n=7/min")];
    h.admit(&b, &tokens([7]));
    let (every_ms, minutes) = h.scale().pick((10, 3), (50, 2), (250, 1));
    for minute in 1..=minutes {
        assert_eq!(admitted(h, &b, every_ms, 60_000 / every_ms), 7, "in minute {minute}");
    }
}

pub(crate) fn refill_is_exact_to_the_millisecond(h: &Harness) {
    // 7 tokens in 11 s: 1 token in 1571.43 ms, never at a whole ms.
    let b = [bucket("a", "n=7/11s")];
    h.admit(&b, &tokens([7]));
    for elevenths in 1..=14_u64 {
        let due = (elevenths * 11_000).div_ceil(7);
        h.set(due - 1);
        h.deny(&b, &tokens([1]));
        h.set(due);
        h.admit(&b, &tokens([1]));
    }
    assert_eq!(h.balances(&b), tokens([0]), "22 s brought exactly 14 tokens");
}

/// Both limits are asked often and written often, for a day.
pub(crate) fn one_a_day_and_a_thousand_a_second_share_a_bucket(h: &Harness) {
    let b = [bucket("a", "day=1/day sec=1000/s:burst=10M")];
    h.admit(&b, &tokens([1, 10_000_000]));

    let coarse = h.scale().pick(29_989, 299_993, 999_983);
    let mut elapsed = 0;
    let mut poll = |step: u64| {
        h.advance(step);
        elapsed += step;
        // One token flows into the fast limit each ms; taking it writes the record that both share.
        h.admit(&b, &tokens([0, valid(i64::try_from(step))]));
        h.deny(&b, &tokens([0, 1]));
        h.deny(&b, &tokens([1, 0]));
        elapsed
    };
    loop {
        for _ in 0..3 {
            poll(1);
        }
        if poll(coarse) + coarse + 200 > DAY_MS {
            break;
        }
    }
    let rest = DAY_MS - 100 - poll(1);
    poll(rest);
    while poll(1) < DAY_MS - 1 {}

    h.advance(1);
    h.admit(&b, &tokens([1, 0]));
    h.deny(&b, &tokens([1, 0]));
    h.admit(&b, &tokens([0, 1]));
    h.deny(&b, &tokens([0, 1]));
}

pub(crate) fn no_window_admits_more_than_burst_and_refill(h: &Harness) {
    let b = [bucket("a", "n=7/3s:burst=11")];
    let mut random = fastrand::Rng::with_seed(1);
    let mut taken: Vec<(u64, i64)> = Vec::new();
    for _ in 0..h.scale().pick(1_500, 500, 150) {
        if random.u8(..) < 200 {
            h.advance(random.u64(0..2_000));
        } else {
            h.advance(random.u64(0..30_000));
        }
        let amount: Amounts = [Millitokens::new(random.i64(0..6_000))].into_iter().collect();
        if h.admits(&b, &amount) {
            taken.push((h.now().as_millis(), amount[0].get()));
        }
    }
    for (i, (first, _)) in taken.iter().enumerate() {
        let mut sum = 0;
        for (last, amount) in &taken[i..] {
            sum += i128::from(*amount);
            let allowed = 11_000 * 3_000 + i128::from(last - first) * 7_000;
            assert!(sum * 3_000 <= allowed, "{sum} millitokens within {} ms", last - first);
        }
    }
}

pub(crate) fn a_retry_after_is_the_first_instant_that_admits(h: &Harness) {
    let b = [bucket("a", "x=7/11s:burst=9 y=3/7s:burst=5"), bucket("b", "z=100/13s")];
    let mut random = fastrand::Rng::with_seed(2);
    for _ in 0..h.scale().pick(200, 80, 20) {
        let mut up_to = |burst: i64| Millitokens::new(random.i64(0..=burst * 1_000));
        let ask: Amounts = [up_to(9), up_to(5), up_to(100)].into_iter().collect();
        if let Decision::Denied(reading) = h.take(&b, &ask, 1) {
            let waits = reading.statuses(&b, &ask).map(|status| valid(status.retry_after().ok_or(status)));
            let wait = valid(u64::try_from(waits.max().unwrap_or_default().as_millis()));
            h.advance(wait - 1);
            h.deny(&b, &ask);
            h.advance(1);
            h.admit(&b, &ask);
        }
        h.apply(&b, &tokens([random.i64(0..3), random.i64(-1..2), 0]), 0);
    }
}
