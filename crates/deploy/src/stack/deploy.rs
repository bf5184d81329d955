//! Creating a stack, or bringing one to what is asked for.

use zae_limiter_store_dynamodb::version::{InfrastructureVersion, SCHEMA_VERSION, Version};

use super::events::Count;
use super::job::{Chosen, Job};
use super::progress::Tell;
use super::{Aws, Description, Progress, StackName};
use crate::error::{DeployError, DeployErrorKind};
use crate::package::Package;
use crate::template::{StackParameters, output, parameter, resources};

/// What is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Deployment {
    /// What is chosen about the stack.
    pub parameters: StackParameters,
    /// What the function runs; needed unless usage is not counted by one.
    pub package: Option<Package>,
    /// Waits until all is done. If not, a new stack has no function until it is deployed again.
    pub wait: bool,
}

impl Deployment {
    /// A stack whose function runs this package.
    pub fn new(package: Package) -> Self {
        Self { parameters: StackParameters::default(), package: Some(package), wait: true }
    }

    /// A stack without a function: usage is counted by `zae-limiter aggregate`, or not at all.
    pub fn without_function() -> Self {
        let parameters = StackParameters { enable_aggregator: Some(false), ..StackParameters::default() };
        Self { parameters, package: None, wait: true }
    }

    /// With these choices.
    #[must_use]
    pub fn with_parameters(mut self, parameters: StackParameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// Waits, or does not.
    #[must_use]
    pub const fn waiting(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deployed {
    /// The stack's ARN.
    pub stack_id: String,
    /// Its name.
    pub stack_name: String,
    /// As CloudFormation says it.
    pub status: String,
    /// Whether there was none before.
    pub created: bool,
    /// Whether all is done; if not, it was not waited for.
    pub finished: bool,
    /// The version of the function that was published.
    pub function_version: Option<String>,
}

impl Aws {
    pub(super) async fn deploy(
        &self,
        name: &StackName,
        deployment: Deployment,
        tell: &mut Tell,
    ) -> Result<Deployed, DeployError> {
        let present = self.existing(name).await?;
        match &present {
            Some(stack) => self.may_update(name, stack).await?,
            None => self.may_create(name).await?,
        }
        let flag = |given: Option<bool>, name| {
            given.unwrap_or_else(|| present.as_ref().is_none_or(|stack| stack.flag(name, true)))
        };
        let aggregates = flag(deployment.parameters.enable_aggregator, parameter::ENABLE_AGGREGATOR);
        let alarms = flag(deployment.parameters.enable_alarms, parameter::ENABLE_ALARMS);
        let package = match (aggregates, deployment.package) {
            (false, _) => None,
            (true, Some(package)) => Some(package),
            (true, None) => {
                return Err(DeployError::new(
                    DeployErrorKind::Invalid,
                    "there is no package for the function",
                ));
            }
        };
        let there = match &present {
            Some(stack) => self.resources(&stack.id).await?,
            None => Vec::new(),
        };
        let mut job = Job {
            aws: self,
            name,
            chosen: self.chosen(&deployment.parameters, package.as_ref()),
            tags: &deployment.parameters.tags,
            count: Count::building(resources(aggregates, alarms), &there),
            wait: deployment.wait,
        };
        let created = present.is_none();
        let mut stack = match present {
            Some(stack) => stack,
            None => job.create(tell).await?,
        };
        if created && !job.wait {
            return Ok(deployed(name, stack, created, false, None));
        }
        stack = match &package {
            Some(package) => job.with_function(stack, package, tell).await?,
            None if created => stack,
            None => job.without_function(stack, tell).await?,
        };
        if !job.wait {
            return Ok(deployed(name, stack, created, false, None));
        }
        let version = self.finish(&stack, package.as_ref(), tell).await?;
        Ok(deployed(name, stack, created, true, version))
    }

    /// A table that is there already cannot become part of a new stack.
    async fn may_create(&self, name: &StackName) -> Result<(), DeployError> {
        if !self.table.exists().await? {
            return Ok(());
        }
        let table = &self.table_name;
        let message = format!(
            "table {table} exists already, but there is no stack {name}: name the stack that it belongs to, deploy \
             another table, or delete this one (`zae-limiter table delete --table-name {table}`)"
        );
        Err(DeployError::new(DeployErrorKind::AlreadyExists, message))
    }

    async fn may_update(&self, name: &StackName, stack: &Description) -> Result<(), DeployError> {
        stack.state().usable(name, &stack.status)?;
        if !stack.is_of(&self.table_name) {
            let of = stack.parameter(parameter::TABLE_NAME).map_or_else(
                || "not one of zae-limiter".to_owned(),
                |table| format!("that of table {table}, not of {}", self.table_name),
            );
            let message = format!("stack {name} is {of}: choose another with --stack-name");
            return Err(DeployError::new(DeployErrorKind::AlreadyExists, message));
        }
        // What a newer release has made, this one would take apart.
        let own = env!("CARGO_PKG_VERSION");
        let deployed = self.table.version().await?.and_then(|versions| versions.template_version);
        let newer = |version: &str| {
            let (theirs, own) = (version.parse::<Version>(), own.parse::<Version>());
            matches!((theirs, own), (Ok(theirs), Ok(own)) if theirs > own)
        };
        match deployed.filter(|version| newer(version)) {
            Some(version) => {
                let message = format!(
                    "stack {name} was deployed by zae-limiter {version}, this is {own}: use that one"
                );
                Err(DeployError::new(DeployErrorKind::Incompatible, message))
            }
            None => Ok(()),
        }
    }

    fn chosen(&self, parameters: &StackParameters, package: Option<&Package>) -> Chosen {
        let mut chosen = parameters.chosen();
        chosen.insert(parameter::TABLE_NAME, self.table_name.clone());
        chosen.insert(parameter::SCHEMA_VERSION, SCHEMA_VERSION.to_owned());
        if let Some(package) = package {
            chosen.insert(parameter::ARCHITECTURE, package.architecture().to_string());
        }
        chosen
    }

    /// Has the function run the package, and the table remember it.
    async fn finish(
        &self,
        stack: &Description,
        package: Option<&Package>,
        tell: &mut Tell,
    ) -> Result<Option<String>, DeployError> {
        let mut published = None;
        if let (Some(package), Some(function)) = (package, stack.output(output::FUNCTION_NAME)) {
            published = Some(self.publish(function, package, tell).await?);
            if let Some(bucket) = stack.output(output::CODE_BUCKET) {
                self.clear(bucket, Some(&package.object_key())).await?;
            }
        }
        let own = || env!("CARGO_PKG_VERSION").to_owned();
        let mut versions = InfrastructureVersion::current();
        versions.lambda_version = published.is_some().then(own);
        versions.template_version = Some(own());
        if self.table.version().await?.as_ref() != Some(&versions) {
            self.table.set_version(versions).await?;
            tell(Progress::Recorded);
        }
        Ok(published)
    }
}

fn deployed(
    name: &StackName,
    stack: Description,
    created: bool,
    finished: bool,
    function_version: Option<String>,
) -> Deployed {
    Deployed {
        stack_name: name.to_string(),
        status: stack.status.as_str().to_owned(),
        stack_id: stack.id,
        created,
        finished,
        function_version,
    }
}
