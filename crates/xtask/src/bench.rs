//! Measurements.

use clap::{Args, ValueEnum};

use crate::engine::{Engine, dynamodb_local};
use crate::python;
use crate::steps::{cargo, command, run};

#[derive(Args)]
pub(crate) struct Bench {
    /// What to measure.
    suite: Suite,
    /// What the suite `dynamodb` runs on.
    #[arg(long, default_value = "dynoxide")]
    engine: Engine,
    /// Passed on to the suite, for example `--quick`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Suite {
    /// The stores in memory and on SQLite.
    Embedded,
    /// The DynamoDB store.
    Dynamodb,
    /// Counting usage from the stream, and the function that does so.
    Aggregate,
    /// The Python package, beside others of its kind.
    Python,
}

impl Bench {
    pub(crate) fn run(&self) -> Result<(), String> {
        let mut suite = command("cargo");
        suite.args(["run", "--profile", "bench", "--package", "zae-limiter-bench"]);
        match self.suite {
            Suite::Embedded => {
                // The suite measures the command line too, as it is shipped.
                cargo(&["build", "--release", "--package", "zae-limiter-cli"])?;
                run(suite.args(["--", "embedded"]).args(&self.rest))
            }
            Suite::Aggregate => {
                // Started as a bootstrap, the command line is the function.
                cargo(&["build", "--release", "--package", "zae-limiter-cli"])?;
                run(suite.args(["--features", "aggregate", "--", "aggregate"]).args(&self.rest))
            }
            Suite::Python => python::bench(self.engine, &self.rest),
            Suite::Dynamodb => {
                suite.args(["--features", "dynamodb", "--", "dynamodb"]).args(&self.rest);
                match self.engine {
                    Engine::Dynoxide => run(&mut suite),
                    Engine::DynamodbLocal => {
                        let running = dynamodb_local()?;
                        run(suite.args(["--endpoint", running.endpoint()]))
                    }
                }
            }
        }
    }
}
