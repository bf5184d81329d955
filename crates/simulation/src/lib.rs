//! The protocol of the DynamoDB store, simulated: many clients, one table, a network that fails, and a checker.
//!
//! Everything that decides is the real code: planning, combining, cascades. Only the table is simulated, as the meaning
//! of a write ([`execute`](zae_limiter_store_dynamodb::execute)) behind a network that delays, loses, repeats and
//! refuses requests ([`network`]). Time is virtual and all chance comes from one seed, so that a seed is a run:
//! [`run()`]. What happened is written down ([`history`]) and checked ([`check()`]) against a token bucket in rational
//! numbers ([`model`]) that shares no code with the protocol. [`mutation`] breaks the protocol, to show that the checker
//! notices.

#![allow(clippy::expect_used, reason = "each says why it cannot fail")]

pub mod check;
pub mod client;
pub mod clock;
pub mod history;
pub mod lease;
pub mod line;
pub mod model;
pub mod mutation;
pub mod network;
pub mod run;
pub mod scenario;
pub mod world;

pub use check::{Violation, check};
pub use history::History;
pub use mutation::Mutation;
pub use run::{Run, run};
