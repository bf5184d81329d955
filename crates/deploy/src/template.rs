//! The stack: its CloudFormation template, and what can be chosen about it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use zae_limiter_core::Window;

/// The template, as `zae-limiter cfn-template` writes it.
pub const TEMPLATE: &str = include_str!("../template.yaml");

/// Resources that every stack has.
const ALWAYS: usize = 5;
/// Resources that come with counting usage.
const WITH_AGGREGATOR: usize = 7;
/// Resources that come with alarms for it.
const WITH_ALARMS: usize = 5;

/// Names of parameters in the template.
pub(crate) mod parameter {
    pub(crate) const TABLE_NAME: &str = "TableName";
    pub(crate) const SCHEMA_VERSION: &str = "SchemaVersion";
    pub(crate) const POINT_IN_TIME_RECOVERY: &str = "PointInTimeRecovery";
    pub(crate) const DELETION_PROTECTION: &str = "DeletionProtection";
    pub(crate) const ENABLE_AGGREGATOR: &str = "EnableAggregator";
    pub(crate) const SNAPSHOT_WINDOWS: &str = "SnapshotWindows";
    pub(crate) const SNAPSHOT_RETENTION_DAYS: &str = "SnapshotRetentionDays";
    pub(crate) const CODE_KEY: &str = "CodeKey";
    pub(crate) const ARCHITECTURE: &str = "Architecture";
    pub(crate) const LAMBDA_MEMORY_SIZE: &str = "LambdaMemorySize";
    pub(crate) const LAMBDA_TIMEOUT: &str = "LambdaTimeout";
    pub(crate) const DURATION_ALARM_MS: &str = "DurationAlarmMilliseconds";
    pub(crate) const LOG_RETENTION_DAYS: &str = "LogRetentionDays";
    pub(crate) const ENABLE_ALARMS: &str = "EnableAlarms";
    pub(crate) const ALARM_TOPIC_ARN: &str = "AlarmTopicArn";
    pub(crate) const PERMISSIONS_BOUNDARY: &str = "PermissionsBoundary";

    /// All of them.
    pub(crate) const ALL: [&str; 16] = [
        TABLE_NAME,
        SCHEMA_VERSION,
        POINT_IN_TIME_RECOVERY,
        DELETION_PROTECTION,
        ENABLE_AGGREGATOR,
        SNAPSHOT_WINDOWS,
        SNAPSHOT_RETENTION_DAYS,
        CODE_KEY,
        ARCHITECTURE,
        LAMBDA_MEMORY_SIZE,
        LAMBDA_TIMEOUT,
        DURATION_ALARM_MS,
        LOG_RETENTION_DAYS,
        ENABLE_ALARMS,
        ALARM_TOPIC_ARN,
        PERMISSIONS_BOUNDARY,
    ];
}

/// Names of outputs in the template.
pub(crate) mod output {
    pub(crate) const FUNCTION_NAME: &str = "AggregatorFunctionName";
    pub(crate) const CODE_BUCKET: &str = "CodeBucketName";
}

/// The windows that usage is counted in: at least one, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotWindows(Vec<Window>);

/// A text or value that is not what a parameter takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// Windows.
    #[error(
        "{0:?} is not a list of windows: expected some of hourly, daily and monthly, separated by commas"
    )]
    Windows(String),
    /// There is no such parameter.
    #[error("the stack has no parameter {0:?}")]
    Unknown(String),
    /// The value does not fit the parameter.
    #[error("{value:?} is not a value of {name}: expected {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
}

impl FromStr for SnapshotWindows {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        let mut windows: Vec<Window> = Vec::new();
        for part in text.split(',') {
            let window = part.trim().parse().map_err(|_| ParameterError::Windows(text.to_owned()))?;
            if !windows.contains(&window) {
                windows.push(window);
            }
        }
        Ok(Self(windows))
    }
}

impl fmt::Display for SnapshotWindows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|window| window.as_str()).collect();
        f.pad(&names.join(","))
    }
}

/// What is chosen about a stack. What is left at `None` stays as the stack has it, and is the template's default in a new
/// one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackParameters {
    /// Whether usage is counted by a function. Yes by default.
    pub enable_aggregator: Option<bool>,
    /// The windows that usage is counted in. `hourly,daily` by default.
    pub snapshot_windows: Option<SnapshotWindows>,
    /// Days that usage is kept. 90 by default.
    pub snapshot_retention_days: Option<u32>,
    /// Memory of the function in MB, 128 to 10240. 128 by default.
    pub lambda_memory_mb: Option<u32>,
    /// Seconds that the function may take for a batch, at most 900. 60 by default.
    pub lambda_timeout_s: Option<u32>,
    /// Days that the function's log is kept. 30 by default.
    pub log_retention_days: Option<u32>,
    /// Whether the table can be restored to any second of the last 35 days. No by default.
    pub point_in_time_recovery: Option<bool>,
    /// Whether the table, and with it the stack, refuses to be deleted. No by default.
    pub deletion_protection: Option<bool>,
    /// Whether there are alarms. Yes by default.
    pub enable_alarms: Option<bool>,
    /// The SNS topic that alarms are sent to; none if empty, which is the default.
    pub alarm_topic_arn: Option<String>,
    /// The permission boundary of the function's role; none if empty, which is the default.
    pub permissions_boundary: Option<String>,
    /// Tags of the stack and all that is in it; those that the stack has if empty.
    pub tags: BTreeMap<String, String>,
}

impl StackParameters {
    /// Sets a parameter by the name that the template has for it. Names that the stack itself takes care of
    /// (`TableName`, `SchemaVersion`, `Architecture`, `CodeKey`) cannot be set.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ParameterError> {
        match name {
            parameter::ENABLE_AGGREGATOR => {
                self.enable_aggregator = Some(flag(parameter::ENABLE_AGGREGATOR, value)?);
            }
            parameter::SNAPSHOT_WINDOWS => self.snapshot_windows = Some(value.parse()?),
            parameter::SNAPSHOT_RETENTION_DAYS => {
                self.snapshot_retention_days = Some(number(parameter::SNAPSHOT_RETENTION_DAYS, value)?);
            }
            parameter::LAMBDA_MEMORY_SIZE => {
                self.lambda_memory_mb = Some(number(parameter::LAMBDA_MEMORY_SIZE, value)?);
            }
            parameter::LAMBDA_TIMEOUT => {
                self.lambda_timeout_s = Some(number(parameter::LAMBDA_TIMEOUT, value)?);
            }
            parameter::LOG_RETENTION_DAYS => {
                self.log_retention_days = Some(number(parameter::LOG_RETENTION_DAYS, value)?);
            }
            parameter::POINT_IN_TIME_RECOVERY => {
                self.point_in_time_recovery = Some(flag(parameter::POINT_IN_TIME_RECOVERY, value)?);
            }
            parameter::DELETION_PROTECTION => {
                self.deletion_protection = Some(flag(parameter::DELETION_PROTECTION, value)?);
            }
            parameter::ENABLE_ALARMS => self.enable_alarms = Some(flag(parameter::ENABLE_ALARMS, value)?),
            parameter::ALARM_TOPIC_ARN => self.alarm_topic_arn = Some(value.to_owned()),
            parameter::PERMISSIONS_BOUNDARY => self.permissions_boundary = Some(value.to_owned()),
            _ => return Err(ParameterError::Unknown(name.to_owned())),
        }
        Ok(())
    }

    /// What was chosen, by the template's names.
    pub(crate) fn chosen(&self) -> BTreeMap<&'static str, String> {
        let flag = |value: Option<bool>| value.map(|value| value.to_string());
        let number = |value: Option<u32>| value.map(|value| value.to_string());
        let all = [
            (parameter::ENABLE_AGGREGATOR, flag(self.enable_aggregator)),
            (parameter::SNAPSHOT_WINDOWS, self.snapshot_windows.as_ref().map(ToString::to_string)),
            (parameter::SNAPSHOT_RETENTION_DAYS, number(self.snapshot_retention_days)),
            (parameter::LAMBDA_MEMORY_SIZE, number(self.lambda_memory_mb)),
            (parameter::LAMBDA_TIMEOUT, number(self.lambda_timeout_s)),
            // 80 % of the timeout, in ms: the template cannot multiply.
            (parameter::DURATION_ALARM_MS, number(self.lambda_timeout_s.map(|s| s.saturating_mul(800)))),
            (parameter::LOG_RETENTION_DAYS, number(self.log_retention_days)),
            (parameter::POINT_IN_TIME_RECOVERY, flag(self.point_in_time_recovery)),
            (parameter::DELETION_PROTECTION, flag(self.deletion_protection)),
            (parameter::ENABLE_ALARMS, flag(self.enable_alarms)),
            (parameter::ALARM_TOPIC_ARN, self.alarm_topic_arn.clone()),
            (parameter::PERMISSIONS_BOUNDARY, self.permissions_boundary.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn flag(name: &'static str, value: &str) -> Result<bool, ParameterError> {
    let wrong = || ParameterError::Value { name, value: value.to_owned(), expected: "true or false" };
    value.parse().map_err(|_| wrong())
}

fn number(name: &'static str, value: &str) -> Result<u32, ParameterError> {
    let wrong = || ParameterError::Value { name, value: value.to_owned(), expected: "a number, at least 1" };
    value.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)
}

/// How many resources a stack with these choices has.
pub(crate) const fn resources(aggregator: bool, alarms: bool) -> usize {
    match (aggregator, alarms) {
        (false, _) => ALWAYS,
        (true, false) => ALWAYS + WITH_AGGREGATOR,
        (true, true) => ALWAYS + WITH_AGGREGATOR + WITH_ALARMS,
    }
}

#[cfg(test)]
mod tests;
