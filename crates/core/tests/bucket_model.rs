//! The bucket arithmetic against a token bucket in exact rational numbers: a balance with a refill clock.

use proptest::prelude::*;
use zae_limiter_core::{FullAt, Limit, Millitokens, Timestamp, Wait};

/// A token bucket as the textbook has it. The balance is counted in 1 / `period_ms` of a millitoken, so that
/// every refill is a whole number and nothing is ever rounded.
struct Model {
    balance: i128,
    refilled_at: u64,
    amount: i128,
    period: i128,
    burst: i128,
}

impl Model {
    fn new(limit: &Limit, now: u64) -> Self {
        let period = limit.refill_period().as_millis().cast_signed();
        let burst = i128::from(limit.burst()) * 1000 * period;
        Self {
            balance: burst,
            refilled_at: now,
            amount: i128::from(limit.refill_amount()) * 1000,
            period,
            burst,
        }
    }

    fn refill(&mut self, now: u64) {
        let gained = i128::from(now - self.refilled_at) * self.amount;
        self.balance = (self.balance + gained).min(self.burst);
        self.refilled_at = now;
    }

    fn take(&mut self, milli: i64, now: u64) -> bool {
        self.refill(now);
        let cost = i128::from(milli) * self.period;
        let admitted = self.balance >= cost;
        if admitted {
            self.balance -= cost;
        }
        admitted
    }

    fn apply(&mut self, milli: i64, now: u64) {
        self.refill(now);
        self.balance = (self.balance - i128::from(milli) * self.period).min(self.burst);
    }

    fn balance_milli(&mut self, now: u64) -> i128 {
        self.refill(now);
        self.balance.div_euclid(self.period)
    }
}

#[derive(Clone, Debug)]
enum Op {
    Pass(u64),
    Take(i64),
    Apply(i64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        (0u64..5_000).prop_map(Op::Pass),
        (0u64..100_000_000).prop_map(Op::Pass),
        (0i64..40_000).prop_map(Op::Take),
        (-30_000i64..60_000).prop_map(Op::Apply),
    ];
    prop::collection::vec(op, 1..200)
}

proptest! {
    #[test]
    fn i2_i4_every_balance_equals_the_rational_model(
        capacity in 1u64..40, extra in 0u64..40, amount in 1u64..100_000, period in 1u64..100_000, ops in ops(),
    ) {
        let limit = Limit::new("n", capacity, capacity + extra, amount, period).unwrap();
        let rate = limit.rate();
        let mut now = 1_700_000_000_000;
        let mut model = Model::new(&limit, now);
        let mut state = FullAt::ALWAYS;
        for op in ops {
            match op {
                Op::Pass(millis) => now += millis,
                Op::Take(milli) => {
                    let taken = rate.take(state, Millitokens::new(milli), Timestamp::from_millis(now));
                    prop_assert_eq!(taken.is_ok(), model.take(milli, now));
                    state = taken.unwrap_or(state);
                }
                Op::Apply(milli) => {
                    state = rate.apply(state, Millitokens::new(milli), Timestamp::from_millis(now));
                    model.apply(milli, now);
                }
            }
            let balance = rate.balance(state, Timestamp::from_millis(now)).get();
            prop_assert_eq!(i128::from(balance), model.balance_milli(now));
            let (whole, remainder) = rate.split(state);
            prop_assert_eq!(rate.joined(whole, remainder), state);
        }
    }

    #[test]
    fn a_retry_after_is_the_first_instant_that_admits(
        burst in 1u64..50, amount in 1u64..1_000, period in 1u64..1_000, debt in 0i64..200_000, ask in 0i64..60_000,
    ) {
        let rate = Limit::new("n", 1, burst, amount, period).unwrap().rate();
        let now = Timestamp::from_millis(1_700_000_000_123);
        let state = rate.charge(FullAt::ALWAYS, Millitokens::new(debt), now);
        let ask = Millitokens::new(ask);
        match rate.wait(state, ask, now) {
            Wait::None => prop_assert!(rate.take(state, ask, now).is_ok()),
            Wait::For(wait) => {
                let then = now.after(wait);
                prop_assert!(rate.take(state, ask, then).is_ok());
                prop_assert!(rate.take(state, ask, Timestamp::from_millis(then.as_millis() - 1)).is_err());
            }
            Wait::Never => prop_assert!(ask > Millitokens::from_tokens(burst.cast_signed())),
        }
    }

    #[test]
    fn a_changed_limit_keeps_the_balance_clamped_to_the_new_burst(
        burst in 1u64..50, amount in 1u64..1_000, period in 1u64..1_000,
        new_burst in 1u64..50, new_amount in 1u64..1_000, new_period in 1u64..1_000, taken in 0i64..100_000,
    ) {
        let old = Limit::new("n", 1, burst, amount, period).unwrap().rate();
        let new = Limit::new("n", 1, new_burst, new_amount, new_period).unwrap().rate();
        let now = Timestamp::from_millis(1_700_000_000_000);
        let state = old.charge(FullAt::ALWAYS, Millitokens::new(taken), now);
        let carried = new.balance(old.rescaled(state, new, now), now);
        let expected = old.balance(state, now).min(Millitokens::from_tokens(new_burst.cast_signed()));
        prop_assert!(carried == expected, "{:?} became {:?}", expected, carried);
    }

    #[test]
    fn nothing_overflows_at_the_bounds(
        charges in prop::collection::vec(-1_000_000_000_000_000i64..=1_000_000_000_000_000, 1..50),
        amount in prop_oneof![Just(1u64), Just(1_000_000_000_000u64)],
        period in prop_oneof![Just(1u64), Just(1_000_000_000u64)],
    ) {
        let Ok(limit) = Limit::new("n", 1, 1_000_000, amount, period) else { return Ok(()) };
        let other = Limit::new("n", 1, 1_000_000_000_000, 1_000_000_000_000, 1_000_000_000).unwrap().rate();
        let (rate, now) = (limit.rate(), Timestamp::MAX);
        let mut state = FullAt::ALWAYS;
        for charge in charges {
            state = rate.apply(state, Millitokens::new(charge), now);
            let _ = (rate.balance(state, now), rate.wait(state, Millitokens::new(1), now));
            let _ = (rate.split(state), rate.full_at_ms(state));
            let _ = other.balance(rate.rescaled(state, other, now), now);
        }
    }
}

/// Polls a bucket that starts empty and counts what it admits.
fn admitted(limit: &Limit, poll_every_ms: u64, for_ms: u64) -> (u64, Option<u64>) {
    let rate = limit.rate();
    let start = 1_700_000_000_000;
    let mut state = rate.charge(
        FullAt::ALWAYS,
        Millitokens::from_tokens(limit.burst().cast_signed()),
        Timestamp::from_millis(start),
    );
    let (mut count, mut first) = (0, None);
    for elapsed in (1..=for_ms / poll_every_ms).map(|poll| poll * poll_every_ms) {
        if let Ok(after) =
            rate.take(state, Millitokens::from_tokens(1), Timestamp::from_millis(start + elapsed))
        {
            state = after;
            count += 1;
            first.get_or_insert(elapsed);
        }
    }
    (count, first)
}

#[test]
fn i2_one_a_day_polled_every_millisecond_is_admitted_after_exactly_a_day() {
    let day = 86_400_000;
    let limit = Limit::per_day("n", 1).unwrap();
    assert_eq!(admitted(&limit, 1, day), (1, Some(day)));
}

#[test]
fn i2_seven_a_minute_polled_every_10_ms_is_seven_a_minute() {
    let limit = Limit::per_minute("n", 7).unwrap();
    assert_eq!(admitted(&limit, 10, 60_000 * 60).0, 7 * 60);
}

#[test]
fn i1_an_idle_hour_is_not_worth_a_second_burst() {
    let rate = Limit::new("n", 60, 60, 60, 6).unwrap().rate();
    let mut state = FullAt::ALWAYS;
    let mut admitted = 0;
    let start = 1_700_000_000_000;
    state = rate.take(state, Millitokens::from_tokens(60), Timestamp::from_millis(start)).unwrap();
    for elapsed in 8_000..10_000 {
        let now = Timestamp::from_millis(start + elapsed);
        if let Ok(after) = rate.take(state, Millitokens::from_tokens(1), now) {
            state = after;
            admitted += 1;
        }
    }
    assert_eq!(admitted, 60 + 19, "a burst, and what flows in during 1,999 ms");
}
