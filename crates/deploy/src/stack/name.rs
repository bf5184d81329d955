//! Names of stacks.

use std::fmt;
use std::str::FromStr;

use zae_limiter_store_dynamodb::TableName;

const PREFIX: &str = "zae-limiter-";
const MOST: usize = 128;

/// A name that CloudFormation takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StackName(String);

/// A text that cannot be the name of a stack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stack name {0:?} must start with a letter and have at most {MOST} of the characters A-Z a-z 0-9 -")]
pub struct StackNameError(String);

impl StackName {
    /// The stack of a table, unless it is named otherwise: `zae-limiter-` and the table's name, with `-` in place of what
    /// CloudFormation does not take.
    pub fn of_table(table: &TableName) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = PREFIX.chars().chain(table.as_str().chars().map(plain)).take(MOST).collect();
        Self(name)
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StackName {
    type Err = StackNameError;

    fn from_str(name: &str) -> Result<Self, StackNameError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if starts && name.len() <= MOST && name.bytes().all(plain) {
            Ok(Self(name.to_owned()))
        } else {
            Err(StackNameError(name.to_owned()))
        }
    }
}

impl fmt::Display for StackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_cloudformation_takes() {
        for good in ["a", "zae-limiter-rate-limits", &"x".repeat(128)] {
            assert_eq!(good.parse::<StackName>().unwrap().as_str(), good);
        }
        for bad in ["", "1a", "-a", "a_b", "a.b", "a b", "ä", &"x".repeat(129)] {
            assert!(bad.parse::<StackName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_table_has_a_stack() {
        for (table, stack) in [("rate_limits", "zae-limiter-rate-limits"), ("a.B_9", "zae-limiter-a-B-9")] {
            let name = StackName::of_table(&table.parse().unwrap());
            assert_eq!(name.as_str(), stack);
            assert_eq!(stack.parse::<StackName>().unwrap(), name);
        }
        let longest = StackName::of_table(&"x".repeat(255).parse().unwrap());
        assert!(longest.as_str().parse::<StackName>().is_ok());
    }
}
