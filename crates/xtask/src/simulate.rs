//! The simulation of the `DynamoDB` store's protocol.

use clap::Args;

use crate::steps::{command, run};

#[derive(Args)]
pub(crate) struct Simulate {
    /// `--seeds N [--from S]` checks many runs, `--seed S --trace` shows all that happens in one, `--help` tells more.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

impl Simulate {
    pub(crate) fn run(&self) -> Result<(), String> {
        let simulate = ["run", "--release", "--quiet", "--package", "zae-limiter-simulation", "--"];
        run(command("cargo").args(simulate).args(&self.rest))
    }
}
