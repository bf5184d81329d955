//! Planning a write, against the bucket arithmetic carried out in one place and in sequence.

mod case;
mod expressions;
mod properties;
mod regressions;
