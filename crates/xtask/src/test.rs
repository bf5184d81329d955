//! All tests.

use clap::Args;

use crate::engine::{Engine, build_dynoxide, dynamodb_local};
use crate::steps::{cargo, command, run};

#[derive(Args)]
pub(crate) struct Test {
    /// Runs the tests of the DynamoDB store, and only these, on this engine.
    #[arg(long)]
    engine: Option<Engine>,
    /// Passed on to `cargo test`, for example a test's name.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

impl Test {
    pub(crate) fn run(&self) -> Result<(), String> {
        let Some(engine) = self.engine else {
            build_dynoxide()?;
            let all = ["test", "--workspace", "--exclude", "zae-limiter-bench", "--all-features"];
            return cargo(&self.with_rest(&all));
        };
        let running = match engine {
            Engine::Dynoxide => {
                build_dynoxide()?;
                None
            }
            Engine::DynamodbLocal => Some(dynamodb_local()?),
        };
        // The store, what counts its usage, and of the command line what is run on every store.
        let all: [&[&str]; 3] = [
            &["zae-limiter-store-dynamodb"],
            &["zae-limiter-aggregator", "--test", "table"],
            &["zae-limiter-cli", "dynamodb"],
        ];
        for tests in all {
            let mut test = command("cargo");
            test.args(["test", "-p"]).args(tests).args(&self.rest);
            if let Some(running) = &running {
                test.env("ZAE_LIMITER_TEST_ENDPOINT", running.endpoint());
            }
            run(&mut test)?;
        }
        Ok(())
    }

    fn with_rest<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        args.iter().copied().chain(self.rest.iter().map(String::as_str)).collect()
    }
}
