//! The checker bites: each way to break the protocol is noticed within the seeds of the default tests.

use zae_limiter_simulation::{Mutation, check, run};

/// The first seeds on which `mutation` shows, with what is said about it.
fn noticed(mutation: Mutation) -> Option<(u64, String)> {
    (0..1_000).find_map(|seed| {
        let violation = check(&run(seed, Some(mutation)).history).err()?;
        Some((seed, violation.to_string()))
    })
}

#[test]
fn the_busy_write_without_its_lower_bound() {
    assert!(noticed(Mutation::BusyWithoutLowerBound).is_some());
}

#[test]
fn the_idle_write_without_its_condition() {
    assert!(noticed(Mutation::IdleWithoutCondition).is_some());
}

#[test]
fn a_charge_that_ignores_the_max() {
    assert!(noticed(Mutation::ChargeWithoutMax).is_some());
}

#[test]
fn new_limits_applied_without_rescaling() {
    assert!(noticed(Mutation::NoRescaling).is_some());
}

#[test]
fn a_retry_without_operation_id() {
    assert!(noticed(Mutation::NoStamps).is_some());
}

#[test]
fn a_cascade_without_compensation() {
    assert!(noticed(Mutation::NoCompensation).is_some());
}

#[test]
fn an_expiry_that_is_too_early() {
    assert!(noticed(Mutation::EarlyExpiry).is_some());
}
