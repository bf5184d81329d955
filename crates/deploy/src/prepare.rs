//! What has to be there before a limiter is opened: the stack, and a function that is not older than the client.

use std::path::PathBuf;
use std::sync::Arc;

use zae_limiter_core::Clock;
use zae_limiter_store_dynamodb::DynamoDbOptions;
use zae_limiter_store_dynamodb::version::{Compatibility, check_compatibility};

use crate::error::{DeployError, DeployErrorKind};
use crate::package::Package;
use crate::stack::{Deployment, Jitter, Progress, StackManager, StackName, Upgrade};
use crate::template::StackParameters;

/// What is done before a limiter is opened.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Preparation {
    /// Creates the stack if the table has never been deployed. At an endpoint other than AWS: the table alone.
    pub create_stack: bool,
    /// What is chosen about a new stack.
    pub parameters: StackParameters,
    /// The stack, if it is not named after the table.
    pub stack_name: Option<StackName>,
    /// Brings a function that is older than this client up to date. Never at an endpoint other than AWS.
    pub auto_update: bool,
    /// The command line's executable, which becomes the function; the one that is running if `None`.
    pub executable: Option<PathBuf>,
}

/// What was done before a limiter is opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Prepared {
    /// Nothing needed to be done.
    Ready,
    /// The stack was created.
    Created,
    /// The function was brought up to date.
    Updated,
    /// The function is older than the client and could not be brought up to date. A limiter may be opened all the same,
    /// unless its option `strict_version` forbids it.
    Outdated(DeployError),
}

impl Preparation {
    fn package(&self) -> Result<Package, DeployError> {
        Ok(match &self.executable {
            Some(path) => Package::of_executable(path)?,
            None => Package::of_this_executable()?,
        })
    }
}

/// Prepares the table that `options` name for a limiter, which is opened with the same options afterwards.
///
/// At an endpoint other than AWS there is no stack to be had: the option `create` of the store is set instead. With the
/// option `strict_version` of the store, a function that cannot be brought up to date is an error; without, it is told.
/// `skip_version_check` leaves the function alone.
pub async fn prepare(
    options: &mut DynamoDbOptions,
    preparation: &Preparation,
    clock: Arc<dyn Clock>,
    jitter: Jitter,
    progress: impl FnMut(Progress) + Send + 'static,
) -> Result<Prepared, DeployError> {
    let updates = preparation.auto_update && !options.skip_version_check;
    if !preparation.create_stack && !updates {
        return Ok(Prepared::Ready);
    }
    let mut stacks = StackManager::connect(options.clone(), clock, jitter).await?;
    if let Some(name) = &preparation.stack_name {
        stacks = stacks.with_name(name.clone());
    }
    if stacks.is_emulated() {
        options.create |= preparation.create_stack;
        return Ok(Prepared::Ready);
    }
    on_aws(&stacks, preparation, updates, options.strict_version, progress).await
}

async fn on_aws(
    stacks: &StackManager,
    preparation: &Preparation,
    updates: bool,
    strict: bool,
    progress: impl FnMut(Progress) + Send + 'static,
) -> Result<Prepared, DeployError> {
    let versions = match stacks.versions().await {
        Err(error) if error.kind() == DeployErrorKind::Missing && preparation.create_stack => {
            let package = match preparation.parameters.enable_aggregator {
                Some(false) => None,
                _ => Some(preparation.package()?),
            };
            let mut deployment =
                Deployment::without_function().with_parameters(preparation.parameters.clone());
            deployment.package = package;
            stacks.deploy(deployment, progress).await?;
            return Ok(Prepared::Created);
        }
        versions => versions?,
    };
    let outdated = versions.is_some_and(|versions| {
        let compatibility = check_compatibility(env!("CARGO_PKG_VERSION"), &versions);
        matches!(compatibility, Ok(Compatibility::UpdateLambda(_)))
    });
    if !outdated || !updates {
        return Ok(Prepared::Ready);
    }
    let update = async {
        let upgrade = Upgrade::new(preparation.package()?).lambda_only(true);
        stacks.upgrade(upgrade, progress).await
    };
    match update.await {
        Ok(_) => Ok(Prepared::Updated),
        Err(error) if strict => Err(error),
        Err(error) => Ok(Prepared::Outdated(error)),
    }
}

#[cfg(test)]
mod tests;
