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
        let args = self.with_rest(&["test", "-p", "zae-limiter-store-dynamodb"]);
        match engine {
            Engine::Dynoxide => {
                build_dynoxide()?;
                cargo(&args)
            }
            Engine::DynamodbLocal => {
                let running = dynamodb_local()?;
                run(command("cargo").args(args).env("ZAE_LIMITER_TEST_ENDPOINT", running.endpoint()))
            }
        }
    }

    fn with_rest<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        args.iter().copied().chain(self.rest.iter().map(String::as_str)).collect()
    }
}
