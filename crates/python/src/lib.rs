//! The native half of the Python package `zae_limiter`.
//!
//! [`limiter`] is what Python's limiters derive from; [`acquire`] and [`lease`] are the path of one acquire; [`call`] runs
//! whatever cannot be answered at once, for an event loop (through [`wakeups`]) or for a thread ([`blocking`]).

mod acquire;
mod amounts;
mod blocking;
mod call;
mod command;
mod convert;
mod errors;
mod fork;
mod function;
mod lease;
mod limiter;
mod limits;
mod opened;
mod stack;
mod table;
mod upkeep;
mod wakeups;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::acquire::{Acquire, SyncAcquire};
    #[pymodule_export]
    use super::call::{Call, Nothing};
    #[pymodule_export]
    use super::command::run_command;
    #[pymodule_export]
    use super::fork::after_fork_in_child;
    #[pymodule_export]
    use super::lease::{Lease, SyncLease};
    #[pymodule_export]
    use super::limiter::{Limiter, check_names};
    #[pymodule_export]
    use super::limits::check_limit;
    #[pymodule_export]
    use super::stack::{create_stack, default_stack_name, delete_stack, stack_status};
    #[pymodule_export]
    use super::table::table_url;

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
