//! The steps of a deployment in CloudFormation, one after the other.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{Capability, Tag};

use super::description::requested;
use super::events::{Count, Seen};
use super::progress::Tell;
use super::{Aws, Description, Progress, StackName, StackState};
use crate::error::{DeployError, DeployErrorKind, classify};
use crate::package::Package;
use crate::template::{TEMPLATE, output, parameter};

/// Parameters that were chosen.
pub(super) type Chosen = BTreeMap<&'static str, String>;

/// One deployment under way.
pub(super) struct Job<'a> {
    pub(super) aws: &'a Aws,
    pub(super) name: &'a StackName,
    pub(super) chosen: Chosen,
    pub(super) tags: &'a BTreeMap<String, String>,
    pub(super) count: Count,
    pub(super) wait: bool,
}

impl Job<'_> {
    /// Creates the stack, as yet without a function.
    pub(super) async fn create(&mut self, tell: &mut Tell) -> Result<Description, DeployError> {
        tell(Progress::Creating);
        self.chosen.insert(parameter::CODE_KEY, String::new());
        let request = self
            .aws
            .cloudformation
            .create_stack()
            .stack_name(self.name.as_str())
            .template_body(TEMPLATE)
            .capabilities(Capability::CapabilityIam)
            .set_parameters(Some(requested(&self.chosen, None)))
            .set_tags(self.tags());
        let answer = request.send().await;
        let created = answer.map_err(|error| classify(&format!("create stack {}", self.name), error))?;
        let id = created.stack_id.unwrap_or_else(|| self.name.to_string());
        self.follow(&id, Seen::default(), "created", tell).await
    }

    /// Brings the stack to what was chosen, with a function that runs the package.
    pub(super) async fn with_function(
        &mut self,
        mut stack: Description,
        package: &Package,
        tell: &mut Tell,
    ) -> Result<Description, DeployError> {
        if stack.output(output::CODE_BUCKET).is_none() {
            self.chosen.insert(parameter::CODE_KEY, String::new());
            stack = self.update(stack, tell).await?;
            if !self.wait {
                return Ok(stack);
            }
        }
        let key = package.object_key();
        if let Some(bucket) = stack.output(output::CODE_BUCKET)
            && stack.parameter(parameter::CODE_KEY) != Some(&key)
        {
            self.aws.upload(bucket, package, tell).await?;
        }
        self.chosen.insert(parameter::CODE_KEY, key);
        self.update(stack, tell).await
    }

    /// Brings the stack to what was chosen, without a function. A bucket has to be empty to be deleted.
    pub(super) async fn without_function(
        &mut self,
        stack: Description,
        tell: &mut Tell,
    ) -> Result<Description, DeployError> {
        if let Some(bucket) = stack.output(output::CODE_BUCKET) {
            self.aws.clear(bucket, None).await?;
        }
        self.chosen.insert(parameter::CODE_KEY, String::new());
        self.update(stack, tell).await
    }

    async fn update(&mut self, stack: Description, tell: &mut Tell) -> Result<Description, DeployError> {
        let seen = self.aws.seen(&stack.id).await?;
        let request = self
            .aws
            .cloudformation
            .update_stack()
            .stack_name(&stack.id)
            .template_body(TEMPLATE)
            .capabilities(Capability::CapabilityIam)
            .set_parameters(Some(requested(&self.chosen, Some(&stack))))
            .set_tags(self.tags());
        match request.send().await {
            Ok(_) => {
                tell(Progress::Updating);
                self.follow(&stack.id, seen, "updated", tell).await
            }
            Err(error)
                if error.message().is_some_and(|said| said.contains("No updates are to be performed")) =>
            {
                tell(Progress::Unchanged);
                Ok(stack)
            }
            Err(error) => Err(classify(&format!("update stack {}", self.name), error)),
        }
    }

    /// Waits for the end of a change, if that is wanted.
    async fn follow(
        &mut self,
        id: &str,
        seen: Seen,
        verb: &str,
        tell: &mut Tell,
    ) -> Result<Description, DeployError> {
        let name = self.name;
        if !self.wait {
            let stack = self.aws.describe(id).await?;
            return stack.ok_or_else(|| {
                DeployError::new(DeployErrorKind::Missing, format!("stack {name} was deleted at once"))
            });
        }
        let ended = self.aws.watch(id, seen, &mut self.count, tell).await?;
        if ended.stack.state() == StackState::Complete {
            return Ok(ended.stack);
        }
        let mut reasons = ended.failures;
        if reasons.is_empty() {
            reasons.extend(ended.stack.reason.clone());
        }
        let what = format!("stack {name} could not be {verb} ({})", ended.stack.status.as_str());
        let advice = match ended.stack.state() {
            StackState::UpdateTakenBack => "It is as it was before. Mend the cause and try again".to_owned(),
            StackState::Stuck => {
                format!(
                    "Run `aws cloudformation continue-update-rollback --stack-name {name}` once it is mended"
                )
            }
            _ => format!("Mend the cause, run `zae-limiter delete --stack-name {name}`, and try again"),
        };
        Err(DeployError::failed(&what, reasons, &advice))
    }

    fn tags(&self) -> Option<Vec<Tag>> {
        let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
        (!self.tags.is_empty()).then(|| self.tags.iter().map(tag).collect())
    }
}
