//! Deleting a stack.

use super::events::Count;
use super::progress::Tell;
use super::{Aws, Description, Progress, StackName, StackState};
use crate::error::{DeployError, DeployErrorKind, classify};
use crate::template::parameter;

/// The bucket, as the template calls it.
const CODE_BUCKET: &str = "CodeBucket";

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deleted {
    /// The stack's name.
    pub stack_name: String,
    /// As CloudFormation says it.
    pub status: String,
    /// Whether it is gone; if not, it was not waited for.
    pub finished: bool,
    /// What is still there, and for how long.
    pub retained: Vec<String>,
}

impl Aws {
    pub(super) async fn delete(
        &self,
        name: &StackName,
        wait: bool,
        tell: &mut Tell,
    ) -> Result<Deleted, DeployError> {
        let stack = self.existing(name).await?.ok_or_else(|| no_such(name, &self.region))?;
        may_delete(name, &stack)?;
        let seen = self.seen(&stack.id).await?;
        let resources = self.resources(&stack.id).await?;
        // Of a stack that failed there are no outputs.
        let bucket = resources.iter().find(|resource| resource.logical_resource_id() == Some(CODE_BUCKET));
        if let Some(bucket) =
            bucket.and_then(|bucket| bucket.physical_resource_id()).filter(|id| !id.is_empty())
        {
            self.clear(bucket, None).await?;
        }
        let sent = self.cloudformation.delete_stack().stack_name(&stack.id).send().await;
        sent.map_err(|error| classify(&format!("delete stack {name}"), error))?;
        tell(Progress::Deleting);
        let mut retained = Vec::new();
        if stack.flag(parameter::POINT_IN_TIME_RECOVERY, false) {
            let table = stack.parameter(parameter::TABLE_NAME).unwrap_or_default();
            retained
                .push(format!("a backup of table {table}, for 35 days (DynamoDB keeps it without charge)"));
        }
        if !wait {
            let status = "DELETE_IN_PROGRESS".to_owned();
            return Ok(Deleted { stack_name: name.to_string(), status, finished: false, retained });
        }
        let mut count = Count::deleting(&resources);
        let ended = self.watch(&stack.id, seen, &mut count, tell).await?;
        if ended.stack.state() != StackState::Deleted {
            let what = format!("stack {name} could not be deleted ({})", ended.stack.status.as_str());
            let advice = "Mend the cause, or delete by hand what is named, and try again";
            return Err(DeployError::failed(&what, ended.failures, advice));
        }
        retained.extend(ended.retained);
        let status = ended.stack.status.as_str().to_owned();
        Ok(Deleted { stack_name: name.to_string(), status, finished: true, retained })
    }
}

/// There is no stack of this name.
pub(super) fn no_such(name: &StackName, region: &str) -> DeployError {
    let message = format!("there is no stack {name} in region {region}: check --stack-name and --region");
    DeployError::new(DeployErrorKind::Missing, message)
}

fn may_delete(name: &StackName, stack: &Description) -> Result<(), DeployError> {
    if stack.state() == StackState::Busy {
        return stack.state().usable(name, &stack.status);
    }
    if stack.termination_protection {
        let message = format!(
            "stack {name} is protected from deletion: run `aws cloudformation update-termination-protection \
             --no-enable-termination-protection --stack-name {name}` first"
        );
        return Err(DeployError::new(DeployErrorKind::Broken, message));
    }
    if stack.flag(parameter::DELETION_PROTECTION, false) {
        let message = format!(
            "the table of stack {name} is protected: run `zae-limiter deploy --parameter DeletionProtection=false` first"
        );
        return Err(DeployError::new(DeployErrorKind::Broken, message));
    }
    Ok(())
}
