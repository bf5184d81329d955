//! What can be chosen about a store.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::aws::Place;
use crate::breaker::BreakerOptions;
use crate::combine::CombineOptions;
use crate::schema::Namespace;

/// The name of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableName(String);

/// A text that cannot be the name of a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("table name {0:?} must have 3 to 255 of the characters A-Z a-z 0-9 . _ -")]
pub struct TableNameError(String);

impl TableName {
    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TableName {
    type Err = TableNameError;

    fn from_str(name: &str) -> Result<Self, TableNameError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (3..=255).contains(&name.len()) && name.bytes().all(plain) {
            Ok(Self(name.to_owned()))
        } else {
            Err(TableNameError(name.to_owned()))
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How a call on several levels is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cascade {
    /// All levels at the same time, each by its own write: one round trip, one write unit a level. If one denies, what
    /// the others took is returned before the denial is told; a crash in between leaves it taken.
    #[default]
    Parallel,
    /// One transaction: two write units a level, and strictly nothing is taken on a denial.
    Transaction,
}

/// What can be chosen about a [`DynamoDbStore`](crate::DynamoDbStore).
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "choices that have nothing to do with each other")]
pub struct DynamoDbOptions {
    /// The table.
    pub table: TableName,
    /// The AWS region; from the environment if `None`.
    pub region: Option<String>,
    /// Where to find DynamoDB, for emulators; from the environment if `None`.
    pub endpoint_url: Option<String>,
    /// Keeps several limiters apart in one table.
    pub namespace: Namespace,
    /// Creates the table if there is none.
    pub create: bool,
    /// How a call on several levels is written.
    pub cascade: Cascade,
    /// How long to wait for a connection. 1 s by default.
    pub connect_timeout: Duration,
    /// How long to wait for the answer to one request. 2 s by default.
    pub attempt_timeout: Duration,
    /// How hard to try, and what to remember.
    pub combine: CombineOptions,
    /// When to stop asking during an outage; `None` for never.
    pub breaker: Option<BreakerOptions>,
    /// From which difference on the clocks of host and server are taken to disagree. 2 s by default: the server tells
    /// whole seconds.
    pub skew_threshold: Duration,
    /// Follows the server's clock in place of the host's.
    pub correct_skew: bool,
    /// Does not look at the version of the table.
    pub skip_version_check: bool,
    /// Does not work beside a function that is older than this client.
    pub strict_version: bool,
    /// Counts requests and asks DynamoDB for the capacity they consume.
    pub measure: bool,
    /// Gives a table that is created a stream, from which usage is counted. Without one there is no usage.
    pub stream: bool,
}

impl DynamoDbOptions {
    /// The defaults, for a table.
    pub fn new(table: TableName) -> Self {
        Self {
            table,
            region: None,
            endpoint_url: None,
            namespace: Namespace::default(),
            create: false,
            cascade: Cascade::default(),
            connect_timeout: Duration::from_secs(1),
            attempt_timeout: Duration::from_secs(2),
            combine: CombineOptions::default(),
            breaker: Some(BreakerOptions::default()),
            skew_threshold: Duration::from_secs(2),
            correct_skew: false,
            skip_version_check: false,
            strict_version: false,
            measure: false,
            stream: true,
        }
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
            connect_timeout: self.connect_timeout,
            attempt_timeout: self.attempt_timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_are_those_that_dynamodb_takes() {
        for good in ["abc", "rate_limits", "a.b-c_D9", &"x".repeat(255)] {
            assert_eq!(good.parse::<TableName>().unwrap().as_str(), good);
        }
        for bad in ["", "ab", "a b c", "a/b/c", "tablé", &"x".repeat(256)] {
            assert!(bad.parse::<TableName>().is_err(), "{bad}");
        }
    }
}
