//! Bringing what was deployed by an older release to this one.

use zae_limiter_store_dynamodb::version::{
    Compatibility, InfrastructureVersion, Version, check_compatibility,
};

use super::progress::Tell;
use super::{Aws, Deployment, Progress, StackName};
use crate::error::{DeployError, DeployErrorKind};
use crate::package::Package;
use crate::template::{StackParameters, output, parameter};

const OWN: &str = env!("CARGO_PKG_VERSION");

/// What is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Upgrade {
    /// What the function is to run.
    pub package: Package,
    /// Only the function and its version, not the rest of the stack. Needs no permission for CloudFormation beyond
    /// looking at the stack.
    pub lambda_only: bool,
    /// Even if all is of this release already.
    pub force: bool,
}

impl Upgrade {
    /// All of the stack, if it is older than this release.
    pub const fn new(package: Package) -> Self {
        Self { package, lambda_only: false, force: false }
    }

    /// Only the function and its version.
    #[must_use]
    pub const fn lambda_only(mut self, lambda_only: bool) -> Self {
        self.lambda_only = lambda_only;
        self
    }

    /// Even if all is of this release already.
    #[must_use]
    pub const fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upgraded {
    /// What the table remembered before.
    pub from: InfrastructureVersion,
    /// What it remembers now.
    pub to: InfrastructureVersion,
    /// Whether anything was done.
    pub changed: bool,
}

impl Aws {
    pub(super) async fn upgrade(
        &self,
        name: &StackName,
        upgrade: Upgrade,
        tell: &mut Tell,
    ) -> Result<Upgraded, DeployError> {
        let table = &self.table_name;
        let from = self.table.version().await?.ok_or_else(|| {
            let message =
                format!("table {table} has no version record: run `zae-limiter deploy --table-name {table}`");
            DeployError::new(DeployErrorKind::Missing, message)
        })?;
        may_upgrade(table, &from)?;
        let stack = self.existing(name).await?.ok_or_else(|| {
            let message = format!(
                "there is no stack {name}: name it with --stack-name, or run `zae-limiter deploy --table-name {table}`"
            );
            DeployError::new(DeployErrorKind::Missing, message)
        })?;
        if !stack.is_of(table) {
            let message = format!("stack {name} is not that of table {table}: name it with --stack-name");
            return Err(DeployError::new(DeployErrorKind::Invalid, message));
        }
        let function = stack.output(output::FUNCTION_NAME);
        let has_function = stack.flag(parameter::ENABLE_AGGREGATOR, true);
        let old_function = has_function && is_older(from.lambda_version.as_deref());
        let old_stack = is_older(from.template_version.as_deref());
        let mut to = from.clone();
        if upgrade.lambda_only {
            if !old_function && !upgrade.force {
                tell(Progress::Unchanged);
                return Ok(Upgraded { from, to, changed: false });
            }
            let function = function.ok_or_else(|| {
                let message =
                    format!("stack {name} has no function: run `zae-limiter deploy --table-name {table}`");
                DeployError::new(DeployErrorKind::Missing, message)
            })?;
            self.publish(function, &upgrade.package, tell).await?;
            to.lambda_version = Some(OWN.to_owned());
            self.table.set_version(to.clone()).await?;
            tell(Progress::Recorded);
        } else {
            if !old_function && !old_stack && !upgrade.force {
                tell(Progress::Unchanged);
                return Ok(Upgraded { from, to, changed: false });
            }
            let deployment = Deployment {
                parameters: StackParameters::default(),
                package: Some(upgrade.package),
                wait: true,
            };
            self.deploy(name, deployment, tell).await?;
            to = self.table.version().await?.unwrap_or(to);
        }
        Ok(Upgraded { from, to, changed: true })
    }
}

/// Whether a version is below this one's, or not told at all.
fn is_older(version: Option<&str>) -> bool {
    let (Some(Ok(version)), Ok(own)) = (version.map(str::parse::<Version>), OWN.parse()) else { return true };
    version < own
}

fn may_upgrade(table: &str, versions: &InfrastructureVersion) -> Result<(), DeployError> {
    let problem = match check_compatibility(OWN, versions) {
        Ok(Compatibility::UpgradeClient(problem) | Compatibility::MigrateSchema(problem)) => problem,
        Ok(_) => return Ok(()),
        Err(error) => format!("its version record cannot be read: {error}"),
    };
    Err(DeployError::new(DeployErrorKind::Incompatible, format!("table {table}: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_old() {
        assert!(is_older(None) && is_older(Some("0.0.1")) && is_older(Some("nonsense")));
        assert!(!is_older(Some(OWN)) && !is_older(Some("999.0.0")));
    }

    #[test]
    fn what_a_newer_release_made_is_left_alone() {
        let mut versions = InfrastructureVersion::current();
        assert!(may_upgrade("t", &versions).is_ok());
        versions.client_min_version = "999.0.0".to_owned();
        let error = may_upgrade("t", &versions).unwrap_err();
        assert_eq!(error.kind(), DeployErrorKind::Incompatible);
        assert!(error.to_string().contains("upgrade zae-limiter"), "{error}");
    }
}
