//! What CloudFormation says about a stack.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{Parameter, Stack, StackStatus};
use zae_limiter_core::Timestamp;

use super::{Aws, StackName, StackState};
use crate::error::{DeployError, classify};
use crate::template::parameter;

/// A stack as it is now.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) id: String,
    pub(super) status: StackStatus,
    pub(super) reason: Option<String>,
    pub(super) created: Option<Timestamp>,
    pub(super) updated: Option<Timestamp>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) outputs: BTreeMap<String, String>,
    pub(super) termination_protection: bool,
}

impl Description {
    fn of(stack: Stack) -> Self {
        let instant = |at: &aws_sdk_cloudformation::primitives::DateTime| {
            at.to_millis().ok().and_then(|ms| u64::try_from(ms).ok()).map(Timestamp::from_millis)
        };
        Self {
            created: stack.creation_time().and_then(instant),
            updated: stack.last_updated_time().and_then(instant),
            termination_protection: stack.enable_termination_protection() == Some(true),
            status: stack.stack_status.unwrap_or_else(|| StackStatus::from("UNKNOWN")),
            reason: stack.stack_status_reason.filter(|reason| !reason.is_empty()),
            parameters: pairs(stack.parameters, |p| (p.parameter_key, p.parameter_value)),
            outputs: pairs(stack.outputs, |o| (o.output_key, o.output_value)),
            id: stack.stack_id.unwrap_or_default(),
        }
    }

    pub(super) fn state(&self) -> StackState {
        StackState::of(&self.status)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    pub(super) fn output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).map(String::as_str)
    }

    /// Whether a parameter says yes; `default` if the stack does not have it.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.parameter(name).map_or(default, |value| value == "true")
    }

    /// Whether it is the stack of this table.
    pub(super) fn is_of(&self, table: &str) -> bool {
        self.parameter(parameter::TABLE_NAME) == Some(table)
    }
}

fn pairs<T>(
    listed: Option<Vec<T>>,
    pair: impl Fn(T) -> (Option<String>, Option<String>),
) -> BTreeMap<String, String> {
    let pairs = listed.unwrap_or_default().into_iter().map(pair);
    pairs.filter_map(|(name, value)| Some((name?, value.unwrap_or_default()))).collect()
}

/// What is sent for each parameter of the template: what was chosen, else what the stack has, else nothing, so that the
/// template's default holds.
pub(super) fn requested(
    chosen: &BTreeMap<&'static str, String>,
    present: Option<&Description>,
) -> Vec<Parameter> {
    let parameter = |name: &&'static str| {
        let builder = Parameter::builder().parameter_key(*name);
        if let Some(value) = chosen.get(name) {
            return Some(builder.parameter_value(value).build());
        }
        let present = present.is_some_and(|stack| stack.parameters.contains_key(*name));
        present.then(|| builder.use_previous_value(true).build())
    };
    parameter::ALL.iter().filter_map(parameter).collect()
}

impl Aws {
    /// The stack of this name or id, if there is one.
    pub(super) async fn describe(&self, stack: &str) -> Result<Option<Description>, DeployError> {
        let sent = self.cloudformation.describe_stacks().stack_name(stack).send().await;
        match sent {
            Ok(output) => Ok(output.stacks.unwrap_or_default().into_iter().next().map(Description::of)),
            Err(error) => {
                let absent = |error: &dyn ProvideErrorMetadata| {
                    error.code() == Some("ValidationError")
                        && error.message().is_some_and(|message| message.contains("does not exist"))
                };
                if error.as_service_error().is_some_and(|error| absent(error)) {
                    return Ok(None);
                }
                Err(classify(&format!("look at stack {stack}"), error))
            }
        }
    }

    /// The stack of this name; a deleted one is none.
    pub(super) async fn existing(&self, name: &StackName) -> Result<Option<Description>, DeployError> {
        let found = self.describe(name.as_str()).await?;
        Ok(found.filter(|stack| stack.state() != StackState::Deleted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_chosen_stays_as_it_is() {
        let chosen =
            BTreeMap::from([(parameter::TABLE_NAME, "t".to_owned()), (parameter::CODE_KEY, String::new())]);
        let sent = |present: Option<&Description>| -> Vec<(String, Option<String>, bool)> {
            let all = requested(&chosen, present).into_iter();
            all.map(|p| {
                (p.parameter_key.unwrap(), p.parameter_value, p.use_previous_value.unwrap_or_default())
            })
            .collect()
        };
        let own = [
            ("TableName".to_owned(), Some("t".to_owned()), false),
            ("CodeKey".to_owned(), Some(String::new()), false),
        ];
        assert_eq!(sent(None), own);
        // A stack that an older template made lacks some parameters, and may have others.
        let parameter = |key: &str| Parameter::builder().parameter_key(key).parameter_value("v").build();
        let stack = Stack::builder().parameters(parameter("LambdaTimeout")).parameters(parameter("Former"));
        let present = Description::of(stack.build());
        let [table, code] = own;
        assert_eq!(sent(Some(&present)), [table, code, ("LambdaTimeout".to_owned(), None, true)]);
    }
}
