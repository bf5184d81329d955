//! The cases: functions that panic if a store lacks the property that they are named for.

pub(crate) mod admission;
pub(crate) mod atomicity;
pub(crate) mod cancellation;
pub(crate) mod changed_limits;
pub(crate) mod concurrency;
pub(crate) mod conservation;
pub(crate) mod deletion;
pub(crate) mod differential;
pub(crate) mod entities;
pub(crate) mod expiry;
pub(crate) mod listing;
pub(crate) mod naming;
pub(crate) mod reading;
pub(crate) mod refill;
pub(crate) mod stored_limits;
pub(crate) mod usage;
