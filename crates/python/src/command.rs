//! The command line, in this process.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the command `zae-limiter` with `arguments`, of which the first is its own name, and returns its exit code.
#[pyfunction]
pub(crate) fn run_command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| zae_limiter_cli::run(arguments))
}
