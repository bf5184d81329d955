//! The list of all cases, and how one of them is run.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::Fixture;
use crate::cases;
use crate::harness::Harness;

/// How long one case may take before it is taken for a deadlock.
const PATIENCE: Duration = Duration::from_mins(3);

/// One property that every store must have.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    name: &'static str,
    check: fn(&Harness),
}

impl Case {
    /// Its name: `group::case`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case on a thread of its own, for at most `patience`. Panics if it fails, or does not end.
    pub(crate) fn run_within(self, fixture: impl Fixture, patience: Duration) {
        let (done, ended) = channel::<()>();
        let check = move || {
            (self.check)(&Harness::new(fixture));
            drop(done);
        };
        let thread = thread::Builder::new().name(self.name.to_owned()).spawn(check);
        let thread = thread.unwrap_or_else(|error| panic!("cannot start a thread: {error}"));
        // Nothing is ever sent: the channel closes when the case ends, well or by a panic.
        let hangs = ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
        assert!(
            !hangs,
            "{} did not end within {patience:?}: a deadlock, or an answer that never came",
            self.name
        );
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
    }
}

macro_rules! case_table {
    ($($group:ident { $($case:ident,)+ })+) => {
        &[$($(Case {
            name: concat!(stringify!($group), "::", stringify!($case)),
            check: cases::$group::$case,
        },)+)+]
    };
}

/// All cases, by group.
pub fn all_cases() -> &'static [Case] {
    crate::__for_each_case!(case_table)
}

/// Runs the case called `name` (`group::case`) on stores of `fixture`.
///
/// # Panics
///
/// If the store does not pass, if the case does not end within minutes, or if there is no such case.
pub fn run(name: &str, fixture: impl Fixture) {
    match all_cases().iter().find(|case| case.name == name) {
        Some(case) => case.run_within(fixture, PATIENCE),
        None => panic!("there is no case {name:?}"),
    }
}

/// Adds the whole suite to a test file: one `#[test]` a case, in one module a group. The argument is a
/// [`Fixture`], made anew for each case.
#[macro_export]
macro_rules! conformance_tests {
    ($fixture:expr) => {
        fn conformance_fixture() -> impl $crate::Fixture {
            $fixture
        }
        $crate::__for_each_case!($crate::__test_functions);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __test_functions {
    ($($group:ident { $($case:ident,)+ })+) => {
        $(mod $group {
            $(#[test]
            fn $case() {
                $crate::run(
                    concat!(stringify!($group), "::", stringify!($case)),
                    super::conformance_fixture(),
                );
            })+
        })+
    };
}

/// Hands the list of all cases to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_case {
    ($($callback:tt)+) => {
        $($callback)+! {
            admission {
                a_fresh_bucket_holds_its_burst_and_no_more,
                thousandths_of_a_token_count,
                every_limit_of_a_bucket_has_its_say,
                more_than_the_burst_is_never_admitted_and_leaves_nothing,
                nothing_is_admitted_unless_in_debt,
                debt_of_one_limit_denies_a_request_for_another,
                as_many_limits_share_a_bucket_as_may,
                the_greatest_numbers_do_not_overflow,
                a_clock_that_goes_back_hands_out_nothing,
            }
            refill {
                an_idle_spell_is_worth_one_burst,
                seven_a_minute_are_seven_a_minute,
                refill_is_exact_to_the_millisecond,
                one_a_day_and_a_thousand_a_second_share_a_bucket,
                no_window_admits_more_than_burst_and_refill,
                a_retry_after_is_the_first_instant_that_admits,
            }
            reading {
                i8_an_absent_bucket_reads_full,
                reading_changes_nothing,
                states_come_in_the_order_asked_for,
                a_denial_tells_the_states_found,
                every_answer_is_of_the_store_s_own_time,
                one_entity_has_a_bucket_for_each_resource,
            }
            atomicity {
                a_limit_that_denies_spares_its_neighbours,
                three_levels_take_all_or_nothing,
                a_denied_first_touch_leaves_nothing_on_any_level,
                debt_of_an_ancestor_denies_its_children,
                siblings_share_their_parent,
            }
            conservation {
                debt_is_paid_off_by_refill_alone,
                debt_is_never_forgotten,
                a_charge_on_a_fresh_bucket_starts_at_its_burst,
                a_return_never_lifts_above_burst,
                a_return_at_full_balance_is_not_saved_up,
                a_return_pays_off_debt,
                one_change_charges_one_limit_and_returns_to_another,
                what_is_rolled_back_is_as_if_never_taken,
                balance_is_burst_less_what_was_committed,
            }
            concurrency {
                one_bucket_admits_exactly_its_burst,
                what_flows_in_meanwhile_is_admitted_once,
                overlapping_sets_of_buckets_in_any_order,
                a_denied_level_never_shows_on_the_other,
                takes_and_their_returns_cancel_out,
                no_charge_is_lost,
                many_buckets_at_once_do_not_mix,
                changing_limits_at_once_hand_out_nothing,
                an_entity_is_created_once,
                stored_limits_are_never_seen_in_part,
                a_take_is_denied_only_by_what_others_hold,
            }
            expiry {
                a_bucket_that_is_not_full_is_never_forgotten,
                debt_outlives_every_bustle,
                a_bucket_full_for_long_is_as_good_as_new,
                a_year_is_not_too_long_for_a_slow_limit,
                usage_outlives_the_bucket,
            }
            changed_limits {
                a_bigger_burst_starts_from_the_old_balance,
                a_smaller_burst_keeps_what_fits,
                another_period_keeps_the_balance,
                debt_is_carried_over,
                a_return_after_a_change_stops_at_the_new_burst,
                one_more_limit_is_full_and_leaves_the_others,
                limits_not_named_stay_as_they_are,
                another_order_is_no_change,
                two_callers_with_different_limits_share_one_balance,
                changing_to_and_fro_makes_nothing_and_wears_nothing_away,
                a_denied_take_changes_no_limit,
            }
            stored_limits {
                the_four_scopes_are_independent,
                limits_of_one_scope_are_replaced_as_a_whole,
                limits_come_back_as_they_were_given,
                one_read_tells_all_limits_and_the_parent,
                stored_limits_leave_buckets_alone,
            }
            entities {
                a_record_reads_back_whole,
                a_second_record_is_refused_and_leaves_the_first,
                a_bucket_needs_no_record_and_makes_none,
                all_records_are_listed_by_id,
                children_are_those_of_the_parent_by_id,
            }
            naming {
                buckets_and_usage_of_awkward_ids_keep_apart,
                buckets_and_usage_of_awkward_resources_keep_apart,
                records_and_limits_of_awkward_ids_keep_apart,
                an_entity_and_a_resource_are_two_names,
                limit_names_keep_apart,
            }
            deletion {
                deleting_an_entity_deletes_all_it_has,
                deleting_spares_everyone_else,
                deleting_a_parent_spares_its_children,
                deleting_what_is_not_there_is_no_error,
                an_id_without_a_record_can_be_deleted,
                a_deleted_entity_can_be_made_again,
                a_lease_that_outlives_its_entity_does_no_harm,
            }
            listing {
                a_resource_lists_its_buckets_and_no_others,
                balances_are_listed_as_they_are_now,
                the_limits_listed_are_those_last_taken_by,
                long_lists_are_complete,
            }
            usage {
                net_consumption_is_counted_in_every_window,
                an_hour_ends_with_its_last_millisecond,
                a_return_counts_in_the_hour_of_the_return,
                a_return_counts_in_full_even_where_the_bucket_is_full,
                acquires_are_counted_as_told,
                acquires_of_nothing_are_counted,
                windows_taken_back_are_left_out,
                a_denied_take_counts_nothing,
                a_clock_that_goes_back_over_an_hour_loses_no_usage,
                counters_stay_when_limits_change_or_are_not_named,
                queries_choose_entity_resource_and_range,
            }
            cancellation {
                a_take_that_is_dropped_half_way_leaves_nothing,
                a_change_that_is_polled_once_is_carried_out,
                a_call_that_is_never_awaited_does_nothing,
                a_task_runs_to_its_end,
            }
            differential {
                agrees_with_the_exact_model,
            }
        }
    };
}
