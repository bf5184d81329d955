//! Nothing is lost, and nothing is made (I4).

use zae_limiter_core::{Amounts, Millitokens, Window};

use crate::harness::Harness;
use crate::shorthand::{bucket, milli, tokens, valid};

pub(crate) fn debt_is_paid_off_by_refill_alone(h: &Harness) {
    let b = [bucket("a", "n=10/s")];
    h.admit(&b, &tokens([10]));
    h.apply(&b, &tokens([25]), 0);
    assert_eq!(h.balances(&b), tokens([-25]));
    for second in 1..=2 {
        h.advance(1_000);
        h.deny(&b, &tokens([1]));
        assert_eq!(h.balances(&b), tokens([-25 + 10 * second]));
    }
    h.advance(499);
    h.deny(&b, &tokens([0]));
    h.advance(101);
    h.admit(&b, &tokens([1]));
    h.deny(&b, &milli([1]));
}

pub(crate) fn debt_is_never_forgotten(h: &Harness) {
    let b = [bucket("a", "n=1/s:burst=5")];
    h.apply(&b, &tokens([1_000]), 0);
    // An hour and more is idle longer than the bucket takes to fill, but not than the debt takes to pay.
    h.advance(900_000);
    h.deny(&b, &tokens([1]));
    assert_eq!(h.balances(&b), tokens([-95]));
    h.apply(&b, &tokens([1_000]), 0);
    h.advance(1_090_000);
    assert_eq!(h.balances(&b), tokens([-5]));
    h.advance(10_000);
    assert_eq!(h.balances(&b), tokens([5]));
}

pub(crate) fn a_charge_on_a_fresh_bucket_starts_at_its_burst(h: &Harness) {
    let b = [bucket("a", "n=10/day:burst=15")];
    h.apply(&b, &tokens([20]), 1);
    assert_eq!(h.balances(&b), tokens([-5]));
}

pub(crate) fn a_return_never_lifts_above_burst(h: &Harness) {
    let b = [bucket("a", "n=10/day:burst=15")];
    h.admit(&b, &tokens([5]));
    h.apply(&b, &tokens([-9]), 0);
    assert_eq!(h.balances(&b), tokens([15]));
    h.admit(&b, &tokens([15]));
    h.deny(&b, &milli([1]));
}

pub(crate) fn a_return_at_full_balance_is_not_saved_up(h: &Harness) {
    let b = [bucket("a", "n=10/day")];
    h.apply(&b, &tokens([-1]), 0);
    h.admit(&b, &tokens([1]));
    assert_eq!(h.balances(&b), tokens([9]), "after a return to a bucket that was never used");
    h.apply(&b, &tokens([-1]), 0);
    for _ in 0..3 {
        h.apply(&b, &tokens([-10]), 0);
    }
    h.admit(&b, &tokens([10]));
    h.deny(&b, &milli([1]));

    h.advance(10 * 86_400_000);
    h.apply(&b, &tokens([-10]), 0);
    h.admit(&b, &tokens([10]));
    h.deny(&b, &milli([1]));
}

pub(crate) fn a_return_pays_off_debt(h: &Harness) {
    let b = [bucket("a", "n=10/day")];
    h.apply(&b, &tokens([30]), 0);
    h.apply(&b, &tokens([-15]), 0);
    assert_eq!(h.balances(&b), tokens([-5]));
    h.apply(&b, &milli([-5_001]), 0);
    h.admit(&b, &milli([1]));
    h.deny(&b, &milli([1]));
}

pub(crate) fn one_change_charges_one_limit_and_returns_to_another(h: &Harness) {
    let b = [bucket("a", "x=10/day y=10/day"), bucket("b", "x=10/day")];
    h.admit(&b, &tokens([5, 5, 5]));
    h.apply(&b, &tokens([7, -3, 0]), 0);
    assert_eq!(h.balances(&b), tokens([-2, 8, 5]));
}

pub(crate) fn what_is_rolled_back_is_as_if_never_taken(h: &Harness) {
    let b = [bucket("a", "x=7/11s:burst=9 y=100/day"), bucket("b", "z=3/7s")];
    h.admit(&b, &tokens([2, 10, 1]));
    let mut expected = h.balances(&b);
    for step in [0, 1, 13, 500] {
        let ask = milli([1_000 + step, 1, 17]);
        h.admit(&b, &ask);
        h.advance(valid(u64::try_from(step)));
        h.roll_back(&b, &ask);
        let refilled = h.balances(&b);
        assert!(refilled.iter().zip(&expected).all(|(now, before)| now >= before));
        if step == 0 {
            assert_eq!(refilled, expected);
        }
        expected = refilled;
    }
    // 514 ms have passed: 7 · 514/11000, 100 · 514/86400000 and 3 · 514/7000 tokens, rounded down.
    assert_eq!(h.balances(&b), milli([7_327, 90_000, 2_220]));
    assert_eq!(h.usage_of("a", Window::Hourly), ["a r 2096-02-28T10:00:00Z x=2 y=10 events=1"]);
}

/// Leases that are settled in every way: the balance is what their net consumption leaves of the burst.
pub(crate) fn balance_is_burst_less_what_was_committed(h: &Harness) {
    let b = [bucket("a", "x=1M/day y=1M/day"), bucket("b", "x=2M/day")];
    let mut random = fastrand::Rng::with_seed(3);
    let mut committed = [0; 3];
    let mut acquires = 0;
    for _ in 0..h.scale().pick(500, 200, 40) {
        let taken: [i64; 3] = std::array::from_fn(|_| random.i64(0..2_000));
        h.admit(&b, &milli(taken));
        match random.u8(0..4) {
            0 => h.roll_back(&b, &milli(taken)),
            1 => {
                let more: [i64; 3] = std::array::from_fn(|_| random.i64(-1_000..5_000));
                h.apply(&b, &milli(more), 0);
                acquires += 1;
                for place in 0..3 {
                    committed[place] += taken[place] + more[place];
                }
            }
            _ => {
                acquires += 1;
                for place in 0..3 {
                    committed[place] += taken[place];
                }
            }
        }
    }
    let left: Amounts =
        milli([1_000_000_000 - committed[0], 1_000_000_000 - committed[1], 2_000_000_000 - committed[2]]);
    assert_eq!(h.balances(&b), left);
    let [x, y, bx] = committed.map(Millitokens::new);
    assert_eq!(
        h.usage_of("a", Window::Hourly),
        [format!("a r 2096-02-28T10:00:00Z x={x} y={y} events={acquires}")]
    );
    assert_eq!(
        h.usage_of("b", Window::Hourly),
        [format!("b r 2096-02-28T10:00:00Z x={bx} events={acquires}")]
    );
}
