//! What every store of `zae-limiter` must pass, whatever it keeps its state in. For tests only.
//!
//! A store crate adds the whole suite, one `#[test]` a case, with a function that makes an empty store:
//!
//! ```
//! # use std::sync::Arc;
//! # use zae_limiter_core::{ManualClock, Store};
//! fn my_store(clock: Arc<ManualClock>) -> Arc<dyn Store> {
//!     todo!("Arc::new(MyStore::new(clock))")
//! }
//!
//! zae_limiter_conformance::conformance_tests!(my_store);
//! # fn main() {}
//! ```
//!
//! The cases stand in files of one concept each and name the invariants (I1, I2, …) that they check. One of
//! them, `differential::agrees_with_the_exact_model`, drives a store with a random sequence of calls and
//! compares every state with a model in exact arithmetic; a failure prints the seed, and [`SEED_VARIABLE`]
//! runs that seed alone.
//!
//! [`engine`] starts what stands in for DynamoDB, and [`FaultyStore`] wraps a store and loses requests or responses by script, for tests of what stands above.

mod cases;
pub mod engine;
mod faulty;
mod fixture;
mod harness;
mod model;
mod shorthand;
mod suite;
mod threads;

#[cfg(test)]
mod bites;
#[cfg(test)]
mod reference;

pub use cases::differential::SEED_VARIABLE;
pub use faulty::{Call, Fault, FaultyStore};
pub use fixture::{Fixture, Scale};
pub use suite::{Case, all_cases, run};
