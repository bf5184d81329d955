//! The suite itself under test: a store that is right passes, and each flaw is caught by the cases meant for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use zae_limiter_core::{ManualClock, Store};

use crate::reference::{CancellationFlaw, Flaw, PendingStore, ReferenceStore};
use crate::{Fixture, Scale, all_cases};

mod right {
    use super::*;

    fn reference(clock: Arc<ManualClock>) -> Arc<dyn Store> {
        Arc::new(ReferenceStore::new(clock))
    }

    crate::conformance_tests!(reference);
}

mod right_behind_a_network {
    use super::*;

    struct Network;

    impl Fixture for Network {
        fn store(&self, clock: Arc<ManualClock>) -> Arc<dyn Store> {
            Arc::new(PendingStore::new(clock))
        }

        fn scale(&self) -> Scale {
            Scale::Quick
        }
    }

    crate::conformance_tests!(Network);
}

/// What a case says of a store; `None` if the store passes.
fn complaint(name: &str, fixture: impl Fixture, patience: Duration) -> Option<String> {
    let case =
        *all_cases().iter().find(|case| case.name() == name).unwrap_or_else(|| panic!("no case {name}"));
    let panic = catch_unwind(AssertUnwindSafe(|| case.run_within(fixture, patience))).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
}

const PATIENCE: Duration = Duration::from_mins(1);

/// Makes stores with a flaw. The quick suite has to do, but for races.
#[derive(Clone, Copy)]
struct Flawed(Flaw);

impl Fixture for Flawed {
    fn store(&self, clock: Arc<ManualClock>) -> Arc<dyn Store> {
        Arc::new(ReferenceStore::with(self.0, clock))
    }

    fn scale(&self) -> Scale {
        match self.0 {
            Flaw::DecidesThenWrites | Flaw::LocksInLevelOrder => Scale::Full,
            _ => Scale::Quick,
        }
    }
}

/// Each of `by` catches the flaw.
fn is_caught(flaw: Flaw, by: &[&str]) {
    for name in by {
        let complaint = complaint(name, Flawed(flaw), PATIENCE);
        assert!(complaint.is_some(), "{name} does not notice that a store {flaw:?}");
    }
}

const MODEL: &str = "differential::agrees_with_the_exact_model";

macro_rules! flaws {
    ($($test:ident: $flaw:ident by $($case:expr),+;)+) => {
        $(#[test]
        fn $test() {
            is_caught(Flaw::$flaw, &[$($case),+]);
        })+
    };
}

flaws! {
    over_admission_by_one: AdmitsOneTooMany by
        "admission::a_fresh_bucket_holds_its_burst_and_no_more", "concurrency::one_bucket_admits_exactly_its_burst", MODEL;
    nothing_admitted_in_debt: AdmitsNothingInDebt by "admission::nothing_is_admitted_unless_in_debt", MODEL;
    nothing_denied_when_empty: DeniesNothingWhenEmpty by "admission::nothing_is_admitted_unless_in_debt";
    forgotten_debt: ForgetsDebt by
        "conservation::debt_is_paid_off_by_refill_alone", "atomicity::debt_of_an_ancestor_denies_its_children", MODEL;
    returns_that_overfill: BanksReturns by
        "conservation::a_return_at_full_balance_is_not_saved_up", "conservation::a_return_never_lifts_above_burst", MODEL;
    a_double_burst_after_idling: BanksIdleTime by
        "refill::an_idle_spell_is_worth_one_burst", "refill::no_window_admits_more_than_burst_and_refill", MODEL;
    rounded_refill: RoundsRefill by
        "refill::one_a_day_and_a_thousand_a_second_share_a_bucket", "refill::seven_a_minute_are_seven_a_minute",
        "refill::refill_is_exact_to_the_millisecond", MODEL;
    partial_consumption_on_denial: TakesUpToTheRefusal by
        "atomicity::a_limit_that_denies_spares_its_neighbours", "atomicity::three_levels_take_all_or_nothing",
        "concurrency::a_denied_level_never_shows_on_the_other", MODEL;
    counted_denials: CountsDenials by "usage::a_denied_take_counts_nothing", "atomicity::three_levels_take_all_or_nothing", MODEL;
    a_fresh_bucket_on_change: FillsOnChange by
        "changed_limits::a_bigger_burst_starts_from_the_old_balance",
        "changed_limits::two_callers_with_different_limits_share_one_balance", MODEL;
    old_terms_after_a_change: KeepsOldTerms by "changed_limits::another_period_keeps_the_balance", MODEL;
    forgotten_unnamed_limits: ForgetsUnnamed by "changed_limits::limits_not_named_stay_as_they_are", MODEL;
    a_denied_change: ChangesLimitOnDenial by "changed_limits::a_denied_take_changes_no_limit", MODEL;
    a_change_by_reading: ChangesLimitOnRead by "reading::reading_changes_nothing", MODEL;
    early_expiry: ExpiresWithFastest by "expiry::a_bucket_that_is_not_full_is_never_forgotten", MODEL;
    states_out_of_order: SortsStates by "reading::states_come_in_the_order_asked_for", MODEL;
    a_race: DecidesThenWrites by
        "concurrency::one_bucket_admits_exactly_its_burst", "concurrency::a_denied_level_never_shows_on_the_other";
    uncounted_rollback: RollsBackUncounted by
        "usage::windows_taken_back_are_left_out", "conservation::what_is_rolled_back_is_as_if_never_taken", MODEL;
    one_hour_for_ever: CountsInFirstHour by "usage::net_consumption_is_counted_in_every_window", MODEL;
    lost_hours: LosesLaterHours by "usage::a_clock_that_goes_back_over_an_hour_loses_no_usage";
    acquires_of_one_level: CountsFirstLevelOnly by "usage::acquires_are_counted_as_told", MODEL;
    usage_lost_with_the_bucket: DropsUsageOfFull by "expiry::usage_outlives_the_bucket";
    a_shifted_range: ShiftsUsageRange by "usage::queries_choose_entity_resource_and_range";
    an_entity_overwritten: OverwritesEntity by
        "entities::a_second_record_is_refused_and_leaves_the_first", "concurrency::an_entity_is_created_once";
    deletion_by_prefix: DeletesByPrefix by "deletion::deleting_spares_everyone_else";
    deletion_of_the_record_only: DeletesRecordOnly by "deletion::deleting_an_entity_deletes_all_it_has", MODEL;
    deletion_of_children: DeletesChildren by "deletion::deleting_a_parent_spares_its_children";
    ids_without_case: IgnoresCase by "naming::buckets_and_usage_of_awkward_ids_keep_apart";
    joined_keys: JoinsKeys by "naming::an_entity_and_a_resource_are_two_names";
    mixed_scopes: MixesScopes by "naming::records_and_limits_of_awkward_ids_keep_apart";
    limits_that_need_a_record: NeedsRecordForLimits by "stored_limits::one_read_tells_all_limits_and_the_parent";
    unsorted_entities: DoesNotSort by "entities::all_records_are_listed_by_id", "entities::children_are_those_of_the_parent_by_id";
    a_list_of_all_resources: ListsOtherResources by "listing::a_resource_lists_its_buckets_and_no_others";
}

#[test]
fn flaws_of_cancellation() {
    for (flaw, case, expected) in [
        (
            CancellationFlaw::KeepsDroppedTakes,
            "a_take_that_is_dropped_half_way_leaves_nothing",
            "await point 1",
        ),
        (CancellationFlaw::DropsChanges, "a_change_that_is_polled_once_is_carried_out", "await point 0"),
        (CancellationFlaw::StartsUnasked, "a_call_that_is_never_awaited_does_nothing", "assertion"),
    ] {
        let flawed = move |clock| -> Arc<dyn Store> { Arc::new(PendingStore::with(flaw, clock)) };
        let complaint = complaint(&format!("cancellation::{case}"), flawed, PATIENCE).unwrap_or_default();
        assert!(complaint.contains(expected), "{flaw:?}: {complaint}");
    }
}

#[test]
fn a_deadlock_fails_instead_of_hanging() {
    let name = "concurrency::overlapping_sets_of_buckets_in_any_order";
    let complaint =
        complaint(name, Flawed(Flaw::LocksInLevelOrder), Duration::from_secs(5)).unwrap_or_default();
    assert!(complaint.contains("a deadlock"), "{complaint}");
}

#[test]
fn a_failure_names_the_seed() {
    let complaint = complaint(MODEL, Flawed(Flaw::ForgetsDebt), PATIENCE).unwrap_or_default();
    assert!(complaint.contains("again with ZAE_CONFORMANCE_SEED="), "{complaint}");
}
