//! All tests.

use clap::Args;

use crate::steps::cargo;

#[derive(Args)]
pub(crate) struct Test {
    /// Passed on to `cargo test`, for example a test's name.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

impl Test {
    pub(crate) fn run(&self) -> Result<(), String> {
        let mut args = vec!["test", "--workspace", "--exclude", "zae-limiter-bench", "--all-features"];
        args.extend(self.rest.iter().map(String::as_str));
        cargo(&args)
    }
}
