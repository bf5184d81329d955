//! What is mended about a table on which a limiter cannot be opened: its stack is created, its function brought up to date.
//! A table that is as it should be costs nothing more.

use std::sync::Arc;

use pyo3::Python;
use zae_limiter::dynamodb::DynamoDbOptions;
use zae_limiter::dynamodb::version::{Compatibility, Mismatch};
use zae_limiter::{
    Error, Jitter as _, Limiter, LimiterBuilder, StoreError, StoreErrorKind, StoreUrl, SystemClock,
    SystemJitter,
};
use zae_limiter_deploy::{
    DeployError, DeployErrorKind, Preparation, Prepared, StackName, StackParameters, prepare,
};

use crate::errors;
use crate::function::{self, Executable};
use crate::stack::{self, Failure};
use crate::table::{self, Change};

/// What is done before a limiter is given up.
#[derive(Debug)]
pub(crate) struct Upkeep {
    /// Creates the stack if there is no table.
    pub(crate) create_stack: bool,
    /// Brings a function that is older than this client up to date.
    pub(crate) auto_update: bool,
    /// Does not work beside a function that could not be brought up to date.
    pub(crate) strict: bool,
    /// What is chosen about a new stack.
    pub(crate) parameters: StackParameters,
    /// The store when all is done: the function may have any version.
    pub(crate) mended: StoreUrl,
}

/// What is missing.
enum Need {
    Stack,
    Function(Mismatch),
}

impl Upkeep {
    /// Opens the store at `url`, which is strict about the function if that is to be kept up to date.
    pub(crate) async fn open(&self, builder: LimiterBuilder, url: &StoreUrl) -> Result<Limiter, Error> {
        let options = self.mended.dynamodb_options()?;
        // Without a look at the version a store is open before it is known whether there is a table.
        let need = if options.skip_version_check {
            Need::Stack
        } else {
            match builder.clone().open(url).await {
                Ok(limiter) => return Ok(limiter),
                Err(error) => self.need(error)?,
            }
        };
        match need {
            Need::Stack => Box::pin(self.create(options)).await?,
            Need::Function(mismatch) => Box::pin(self.update(options, mismatch)).await?,
        }
        builder.open(&self.mended).await
    }

    /// What has to be done about an error, or the error if it is about something else.
    fn need(&self, error: Error) -> Result<Need, Error> {
        let Error::Store(store) = &error else { return Err(error) };
        if self.create_stack && store.kind() == StoreErrorKind::Missing {
            return Ok(Need::Stack);
        }
        match errors::source_of::<Mismatch>(&error) {
            Some(mismatch)
                if self.auto_update && matches!(mismatch.problem, Compatibility::UpdateLambda(_)) =>
            {
                Ok(Need::Function(mismatch.clone()))
            }
            _ => Err(error),
        }
    }

    async fn create(&self, mut options: DynamoDbOptions) -> Result<(), Error> {
        let name = StackName::of_table(&options.table);
        let failed = |failure: &Failure| raised(&name, failure);
        let mut parameters = self.parameters.clone();
        let found = function::of_new_stack(&mut parameters, options.table.as_str());
        let (executable, warning) = found.map_err(|reason| failed(&Failure::because(reason)))?;
        let mut preparation = Preparation::default();
        preparation.create_stack = true;
        preparation.parameters = parameters;
        preparation.executable = executable.map(|executable| executable.path);
        match prepared(&mut options, &preparation).await {
            Ok(Prepared::Created) => warning.map_or(Ok(()), |warning| warn(&warning)),
            // Somewhere that is not AWS: the environment names an endpoint.
            Ok(_) if options.create => table::carry_out(options, Change::Create).await,
            Ok(_) => Ok(()),
            Err(error) if error.kind() == DeployErrorKind::Unavailable => {
                Err(StoreError::new(StoreErrorKind::Unavailable, error.to_string()).into())
            }
            Err(error) => Err(failed(&error.into())),
        }
    }

    async fn update(&self, mut options: DynamoDbOptions, mismatch: Mismatch) -> Result<(), Error> {
        let failed = match Executable::find() {
            Err(problem) => problem,
            Ok(executable) => {
                let lacking = executable.is_none();
                let mut preparation = Preparation::default();
                preparation.auto_update = true;
                preparation.executable = executable.map(|executable| executable.path);
                match prepared(&mut options, &preparation).await {
                    // It would have been the interpreter, had it been tried.
                    Ok(Prepared::Outdated(_)) if lacking => function::lacking(),
                    Ok(Prepared::Outdated(error)) | Err(error) => error.to_string(),
                    // Where the environment names an endpoint, too: nothing is updated there.
                    Ok(_) => return Ok(()),
                }
            }
        };
        let problem = format!("{}. It was not brought up to date: {failed}", mismatch.problem.as_str());
        if !self.strict {
            return warn(&problem);
        }
        let mut mismatch = mismatch;
        mismatch.problem = Compatibility::UpdateLambda(problem.clone());
        Err(StoreError::new(StoreErrorKind::Incompatible, problem).with_source(mismatch).into())
    }
}

async fn prepared(options: &mut DynamoDbOptions, preparation: &Preparation) -> Result<Prepared, DeployError> {
    let jitter = Arc::new(|most| SystemJitter.up_to(most));
    prepare(options, preparation, Arc::new(SystemClock), jitter, |_| {}).await
}

/// An error that is an exception already.
fn raised(name: &StackName, failure: &Failure) -> Error {
    let exception = Python::attach(|py| errors::of_stack(py, name.as_str(), failure));
    StoreError::new(StoreErrorKind::Missing, failure.reason.clone()).with_source(exception).into()
}

/// Warns the program, which may take a warning for an error.
fn warn(message: &str) -> Result<(), Error> {
    let warned = Python::attach(|py| stack::warn(py, message));
    warned.map_err(|exception| {
        StoreError::new(StoreErrorKind::Incompatible, message).with_source(exception).into()
    })
}
