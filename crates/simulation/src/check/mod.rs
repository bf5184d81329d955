//! Whether a history keeps the invariants.
//!
//! Three views of the same history, from the outside in: what callers were told (`admissions`: I1), what they were
//! told against what was counted (`ledger`: I3, I4, I5, I6), and what every single write did to its item
//! (`items`: I1, I4, I8, and that no write counts twice). In calm runs, denials have to be right too (`denials`).

mod admissions;
mod denials;
mod items;
mod ledger;
mod windows;

use std::fmt;

use crate::history::History;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant.
    pub invariant: &'static str,
    /// What is wrong, where and when.
    pub what: String,
}

impl Violation {
    fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// What a history without a violation held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Calls.
    pub calls: usize,
    /// Of these, takes that were admitted.
    pub admitted: usize,
    /// Of these, takes that were denied.
    pub denied: usize,
    /// Of these, dropped by their callers.
    pub cancelled: usize,
    /// Of these, failed.
    pub failed: usize,
    /// Writes sent.
    pub writes: usize,
    /// Items deleted after they had expired.
    pub deleted: usize,
    /// Whether all that was counted had to be exactly what callers were told.
    pub is_exact: bool,
}

/// Checks everything.
pub fn check(history: &History) -> Result<Summary, Violation> {
    let states = items::check(history)?;
    denials::check(history, &states)?;
    admissions::check(history)?;
    ledger::check(history)
}
