//! What holds for every write that is planned, whatever was known.

use proptest::prelude::*;
use zae_limiter_core::{Millitokens, Rate, Timestamp};
use zae_limiter_store_dynamodb::execute::execute;
use zae_limiter_store_dynamodb::item::BucketItem;
use zae_limiter_store_dynamodb::plan::{EXPIRY_MARGIN_S, Kind};

use crate::case::{cases, stamp};

/// Everything that can be told of a state from `now` on: a bucket that is full is full.
fn since(rate: Rate, full_at: zae_limiter_core::FullAt, now: Timestamp) -> i128 {
    full_at.scaled().max(rate.scaled_now(now))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_applied_write_leaves_what_the_arithmetic_says(case in cases()) {
        let Ok(after) = execute(case.item.as_ref(), &case.planned()) else { return Ok(()) };
        let Some(states) = case.by_arithmetic() else {
            return Err(TestCaseError::fail("a take that is denied was applied"));
        };
        prop_assert!(case.item.is_some() || case.planned().may_create, "a new item without its index keys");
        let before = case.item.clone().unwrap_or_default();
        let asked = case.level.limits.iter().zip(&case.amounts).zip(states);
        for ((limit, amount), state) in asked {
            let touched = !amount.is_zero() || case.kind == Kind::Take && case.held(limit).is_some();
            let consumed_before = case.held(limit).map(|held| held.consumed).unwrap_or_default();
            match after.limits.get(limit.name()) {
                Some(held) if touched => {
                    prop_assert_eq!(&held.limit, limit);
                    prop_assert_eq!(since(limit.rate(), held.full_at, case.now), since(limit.rate(), state, case.now));
                    prop_assert_eq!(held.consumed, consumed_before + *amount);
                }
                untouched => prop_assert!(!touched && untouched == before.limits.get(limit.name())),
            }
        }
        for (name, held) in &before.limits {
            if case.level.limits.named(name.as_str()).is_none() {
                prop_assert_eq!(after.limits.get(name), Some(held), "a limit that is not concerned");
            }
        }
        prop_assert_eq!(after.acquires, before.acquires + case.acquires);
        prop_assert_eq!(after.writers.get(&case.stamp.writer), Some(&case.stamp.number));
    }

    #[test]
    fn a_write_planned_from_exact_knowledge_applies_if_it_is_admissible(case in cases()) {
        let write = case.planned_from(Some(&case.exact()), &[], case.now);
        let applied = execute(case.item.as_ref(), &write).is_ok();
        prop_assert_eq!(applied, case.by_arithmetic().is_some(), "{:?}", write);
    }

    #[test]
    fn i8_the_expiry_never_comes_before_the_bucket_is_full_and_never_moves_back(case in cases()) {
        let Ok(after) = execute(case.item.as_ref(), &case.planned()) else { return Ok(()) };
        prop_assert!(after.ttl >= case.now.as_millis() / 1_000 + EXPIRY_MARGIN_S, "a late retry is not recognised");
        prop_assert!(case.item.is_none_or(|before| before.ttl <= after.ttl));
        for held in after.limits.values() {
            let full_at = held.limit.rate().full_at_ms(held.full_at);
            prop_assert!((after.ttl - EXPIRY_MARGIN_S) * 1_000 >= full_at, "{} for {full_at}", after.ttl);
        }
    }

    #[test]
    fn a_repeated_write_never_applies_twice(case in cases(), later in 0..100_000_000u64, busy in any::<bool>()) {
        let write = case.planned();
        let Ok(after) = execute(case.item.as_ref(), &write) else { return Ok(()) };
        prop_assert!(execute(Some(&after), &write).is_err(), "the same request");
        // A retry is planned anew, at a later time and perhaps from other knowledge.
        let now = Timestamp::from_millis(case.now.as_millis() + later);
        let known = zae_limiter_store_dynamodb::item::Known { item: Some(after.clone()), at: now };
        let busy = if busy { case.likely_busy.as_slice() } else { &[] };
        for known in [None, case.known.as_ref(), Some(&known)] {
            prop_assert!(execute(Some(&after), &case.planned_from(known, busy, now)).is_err(), "a retry");
        }
    }

    #[test]
    fn a_write_sweeps_only_writers_that_have_been_silent(case in cases()) {
        let Ok(after) = execute(case.item.as_ref(), &case.planned()) else { return Ok(()) };
        let before: BucketItem = case.item.clone().unwrap_or_default();
        for (writer, number) in before.writers {
            if !after.writers.contains_key(&writer) {
                let silent_ms = case.now.as_millis() - number / 1_000;
                prop_assert!(silent_ms > 600_000, "silent for {silent_ms} ms only");
            }
        }
    }

    #[test]
    fn no_amount_is_lost_between_writes_in_sequence(case in cases(), amounts in prop::collection::vec(-3_000i64..3_000, 1..20)) {
        // Unconditional amounts, each planned from what the one before left: their sum is what was consumed.
        let mut case = case;
        case.kind = Kind::Apply;
        let name = case.level.limits[0].name().clone();
        let consumed = |item: &Option<BucketItem>| {
            item.as_ref().and_then(|item| item.limits.get(&name)).map(|held| held.consumed).unwrap_or_default()
        };
        let mut expected = consumed(&case.item);
        for amount in amounts {
            case.amounts.fill(Millitokens::new(amount));
            case.stamp = stamp(case.stamp.number + 1);
            let write = case.planned_from(Some(&case.exact()), &[], case.now);
            let after = execute(case.item.as_ref(), &write);
            prop_assert!(after.is_ok(), "{:?}", write);
            case.item = after.ok();
            expected += Millitokens::new(amount);
            prop_assert_eq!(consumed(&case.item), expected);
        }
    }
}
