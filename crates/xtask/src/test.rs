//! All tests.

use clap::Args;

use crate::emulator::Emulators;
use crate::engine::{Engine, build_dynoxide, dynamodb_local};
use crate::python;
use crate::steps::{command, run};

/// Where another engine listens, for its tests to know.
const ENDPOINT: &str = "ZAE_LIMITER_TEST_ENDPOINT";

/// The tests of Rust. Features depend on which packages are built together: what picks a few of these tests adds to this,
/// and nothing is built a second time.
const ALL: [&str; 5] = ["test", "--workspace", "--exclude", "zae-limiter-bench", "--all-features"];

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
            let emulators = Emulators::start()?;
            let mut test = command("cargo");
            test.args(ALL).args(&self.rest);
            if let Some(emulators) = &emulators {
                test.envs(emulators.environment());
            }
            run(&mut test)?;
            return python::test(&[], emulators.iter().flat_map(Emulators::environment));
        };
        let running = match engine {
            Engine::Dynoxide => {
                build_dynoxide()?;
                None
            }
            Engine::DynamodbLocal => Some(dynamodb_local()?),
        };
        // The store and what counts its usage, and of the command line what is run on every store.
        let on_engine: [&[&str]; 2] =
            [&["--test", "dynamodb", "--test", "table"], &["--test", "cli", "dynamodb"]];
        for tests in on_engine {
            let mut test = command("cargo");
            test.args(ALL).args(tests).args(&self.rest);
            if let Some(running) = &running {
                test.env(ENDPOINT, running.endpoint());
            }
            run(&mut test)?;
        }
        if !self.rest.is_empty() {
            return Ok(());
        }
        // Of the Python package what runs on this engine, by the name that it has in its tests.
        let (name, place) = match &running {
            Some(running) => ("endpoint", Some((ENDPOINT, running.endpoint().into()))),
            None => ("dynoxide", None),
        };
        python::test(&["-k".to_owned(), name.to_owned()], place)
    }
}
