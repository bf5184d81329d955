//! What is deployed in AWS, by the command line as it is shipped, on an emulator. `cargo xtask test` starts it.

#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod cloud;
mod end_to_end;
mod lifecycle;
mod package;
mod policies;
mod traffic;
