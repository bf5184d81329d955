//! Measurements.

use clap::Args;

use crate::steps::{cargo, command, run};

#[derive(Args)]
pub(crate) struct Bench {
    /// What to measure: `embedded`.
    suite: String,
    /// Passed on to the suite, for example `--quick`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

impl Bench {
    pub(crate) fn run(&self) -> Result<(), String> {
        // The suite measures the command line too, as it is shipped.
        cargo(&["build", "--release", "--package", "zae-limiter-cli"])?;
        run(command("cargo")
            .args(["run", "--profile", "bench", "--package", "zae-limiter-bench", "--", &self.suite])
            .args(&self.rest))
    }
}
