//! How a stack and its function are.

use std::collections::BTreeMap;

use zae_limiter_core::Timestamp;

use super::delete::no_such;
use super::{Aws, StackName, StackState};
use crate::error::DeployError;
use crate::template::output;

/// How a stack is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackReport {
    /// Its name.
    pub stack_name: String,
    /// Its ARN.
    pub stack_id: String,
    /// As CloudFormation says it.
    pub status: String,
    /// What that means.
    pub state: StackState,
    /// Why it is so, if CloudFormation says.
    pub reason: Option<String>,
    /// What to do about it, if it cannot be changed as it is.
    pub advice: Option<String>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it was last updated.
    pub updated: Option<Timestamp>,
    /// What was chosen, by the template's names.
    pub parameters: BTreeMap<String, String>,
    /// What it tells of its resources, by the template's names.
    pub outputs: BTreeMap<String, String>,
    /// The function that counts usage, if there is one.
    pub function: Option<FunctionReport>,
}

/// How a function is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionReport {
    /// Its name.
    pub name: String,
    /// As Lambda says it: `Active` if it is well.
    pub state: String,
    /// As Lambda says it: `Successful` if it is well.
    pub last_update: String,
    /// For example `provided.al2023`.
    pub runtime: String,
    /// `arm64` or `x86_64`.
    pub architecture: String,
    /// Memory in MB.
    pub memory_mb: i32,
    /// Seconds for a batch.
    pub timeout_s: i32,
    /// Bytes of its package.
    pub code_bytes: i64,
}

impl Aws {
    pub(super) async fn report(&self, name: &StackName) -> Result<StackReport, DeployError> {
        let stack = self.existing(name).await?.ok_or_else(|| no_such(name, &self.region))?;
        let function = match stack.output(output::FUNCTION_NAME) {
            Some(function) => Some(self.function_report(function).await?),
            None => None,
        };
        let state = stack.state();
        Ok(StackReport {
            stack_name: name.to_string(),
            status: stack.status.as_str().to_owned(),
            state,
            reason: stack.reason,
            advice: state.usable(name, &stack.status).err().map(|error| error.to_string()),
            created: stack.created,
            updated: stack.updated,
            parameters: stack.parameters,
            outputs: stack.outputs,
            stack_id: stack.id,
            function,
        })
    }

    async fn function_report(&self, name: &str) -> Result<FunctionReport, DeployError> {
        let told = self.function(name).await?;
        let text = |text: Option<&str>| text.unwrap_or("unknown").to_owned();
        Ok(FunctionReport {
            name: name.to_owned(),
            state: text(told.state().map(aws_sdk_lambda::types::State::as_str)),
            last_update: text(told.last_update_status().map(aws_sdk_lambda::types::LastUpdateStatus::as_str)),
            runtime: text(told.runtime().map(aws_sdk_lambda::types::Runtime::as_str)),
            architecture: text(told.architectures().first().map(aws_sdk_lambda::types::Architecture::as_str)),
            memory_mb: told.memory_size().unwrap_or_default(),
            timeout_s: told.timeout().unwrap_or_default(),
            code_bytes: told.code_size(),
        })
    }
}
