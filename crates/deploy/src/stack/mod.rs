//! The life of a stack: created, watched, upgraded, deleted.

mod aws;
mod bucket;
mod delete;
mod deploy;
mod description;
mod events;
mod function;
mod job;
mod name;
mod progress;
mod report;
mod state;
mod upgrade;

use std::fmt;
use std::sync::Arc;

use zae_limiter_store_dynamodb::version::InfrastructureVersion;
use zae_limiter_store_dynamodb::{DynamoDbOptions, TableAdmin, on_runtime};

use self::aws::Aws;
pub use self::aws::Jitter;
pub use self::delete::Deleted;
pub use self::deploy::{Deployed, Deployment};
use self::description::Description;
pub use self::name::{StackName, StackNameError};
pub use self::progress::Progress;
pub use self::report::{FunctionReport, StackReport};
pub use self::state::StackState;
pub use self::upgrade::{Upgrade, Upgraded};
use crate::error::DeployError;

/// Creates, watches, upgrades and deletes the stack of a table.
///
/// Every call can be awaited on any executor: requests run on the runtime that the stores of this process share. What a
/// dropped call has begun goes on in AWS, but is not waited for; the same call again takes it from where it is.
///
/// ```no_run
/// use std::sync::Arc;
/// use zae_limiter_deploy::{Deployment, Package, StackManager};
/// # use zae_limiter_store_dynamodb::DynamoDbOptions;
/// # async fn example(clock: Arc<dyn zae_limiter_core::Clock>) -> Result<(), Box<dyn std::error::Error>> {
/// let options = DynamoDbOptions::new("rate_limits".parse()?);
/// let stacks = StackManager::connect(options, clock, Arc::new(|most| most / 2)).await?;
/// let deployment = Deployment::new(Package::of_this_executable()?);
/// let deployed = stacks.deploy(deployment, |step| println!("{step:?}")).await?;
/// println!("stack {} is {}", deployed.stack_name, deployed.status);
/// # Ok(())
/// # }
/// ```
pub struct StackManager {
    aws: Arc<Aws>,
    name: StackName,
}

impl fmt::Debug for StackManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackManager").field("stack", &self.name).finish_non_exhaustive()
    }
}

impl StackManager {
    /// For the stack of the table that `options` name, which say where AWS is too. Nothing is sent yet, but credentials
    /// are looked for.
    pub async fn connect(
        options: DynamoDbOptions,
        clock: Arc<dyn zae_limiter_core::Clock>,
        jitter: Jitter,
    ) -> Result<Self, DeployError> {
        let name = StackName::of_table(&options.table);
        let aws = Box::pin(on_runtime(Aws::connect(options, clock, jitter))).await?;
        Ok(Self { aws: Arc::new(aws), name })
    }

    /// For a stack of another name than [`StackName::of_table`] gives.
    #[must_use]
    pub fn with_name(mut self, name: StackName) -> Self {
        self.name = name;
        self
    }

    /// The stack's name.
    pub const fn stack_name(&self) -> &StackName {
        &self.name
    }

    /// Creates the stack, or brings the one that is there to what is asked for: infrastructure, the function's code, and
    /// the version record. What is so already stays untouched.
    pub async fn deploy(
        &self,
        deployment: Deployment,
        progress: impl FnMut(Progress) + Send + 'static,
    ) -> Result<Deployed, DeployError> {
        let (aws, name) = self.parts();
        Box::pin(on_runtime(async move { aws.deploy(&name, deployment, &mut tell(progress)).await })).await
    }

    /// Brings the stack, the function and the version record to this release, in this order; choices stay as they are.
    /// What was interrupted is taken up by the same call again.
    pub async fn upgrade(
        &self,
        upgrade: Upgrade,
        progress: impl FnMut(Progress) + Send + 'static,
    ) -> Result<Upgraded, DeployError> {
        let (aws, name) = self.parts();
        Box::pin(on_runtime(async move { aws.upgrade(&name, upgrade, &mut tell(progress)).await })).await
    }

    /// Deletes the stack with the table and all that is in it, and waits until it is gone if `wait`.
    pub async fn delete(
        &self,
        wait: bool,
        progress: impl FnMut(Progress) + Send + 'static,
    ) -> Result<Deleted, DeployError> {
        let (aws, name) = self.parts();
        Box::pin(on_runtime(async move { aws.delete(&name, wait, &mut tell(progress)).await })).await
    }

    /// How the stack and its function are.
    pub async fn status(&self) -> Result<StackReport, DeployError> {
        let (aws, name) = self.parts();
        Box::pin(on_runtime(async move { aws.report(&name).await })).await
    }

    /// The versions that the table remembers, if it does.
    pub async fn versions(&self) -> Result<Option<InfrastructureVersion>, DeployError> {
        Ok(self.table().version().await?)
    }

    /// The table by itself.
    pub fn table(&self) -> &TableAdmin {
        &self.aws.table
    }

    /// Whether an endpoint is named, so that this is an emulator and not AWS.
    pub fn is_emulated(&self) -> bool {
        self.aws.emulated
    }

    fn parts(&self) -> (Arc<Aws>, StackName) {
        (Arc::clone(&self.aws), self.name.clone())
    }
}

fn tell(progress: impl FnMut(Progress) + Send + 'static) -> progress::Tell {
    Box::new(progress)
}
