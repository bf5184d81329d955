//! Versions of the client and of what it finds, and whether they go together.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The version of the schema that this client writes.
pub const SCHEMA_VERSION: &str = "1.0.0";
/// The oldest client that understands what this one writes.
pub const CLIENT_MIN_VERSION: &str = "0.1.0";

/// A version: `1.2.3`, `v1.2.3`, `1.2.3-dev`, or as Python writes it, `1.2.3.dev4+local`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// Raised by what older clients cannot read.
    pub major: u64,
    /// Raised by what is new.
    pub minor: u64,
    /// Raised by what is repaired.
    pub patch: u64,
    /// What comes before the version is final.
    pub prerelease: Option<String>,
}

/// A text that is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version: expected for example 1.2.3")]
pub struct VersionError(String);

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError(text.to_owned());
        let plain = text.strip_prefix(['v', 'V']).unwrap_or(text);
        // What follows a plus names the build and says nothing about the order.
        let plain = plain.split_once('+').map_or(plain, |(plain, _)| plain);
        let mut parts = plain.splitn(3, '.');
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten().ok_or_else(error)
        };
        let mut next = || parts.next().ok_or_else(error);
        let (major, minor, rest) = (number(next()?)?, number(next()?)?, next()?);
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (patch, prerelease) = rest.split_at(end);
        let prerelease = match prerelease {
            "" => None,
            given => {
                let given = given.strip_prefix(['-', '.']).unwrap_or(given);
                let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
                if given.is_empty() || !given.bytes().all(plain) {
                    return Err(error());
                }
                Some(given.to_owned())
            }
        };
        Ok(Self { major, minor, patch: number(patch)?, prerelease })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |v: &Self| (v.major, v.minor, v.patch);
        // What is not final comes before what is.
        let last = || match (&self.prerelease, &other.prerelease) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(own), Some(others)) => own.cmp(others),
        };
        numbers(self).cmp(&numbers(other)).then_with(last)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        self.prerelease.iter().try_for_each(|prerelease| write!(f, "-{prerelease}"))
    }
}

/// The versions of what was deployed, as the table remembers them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InfrastructureVersion {
    /// Of the schema.
    pub schema_version: String,
    /// Of the function that counts usage, if there is one.
    pub lambda_version: Option<String>,
    /// Of the stack, if there is one.
    pub template_version: Option<String>,
    /// The oldest client that may use it.
    pub client_min_version: String,
}

impl InfrastructureVersion {
    /// What this client writes when it makes a table.
    pub fn current() -> Self {
        Self {
            schema_version: SCHEMA_VERSION.to_owned(),
            lambda_version: None,
            template_version: None,
            client_min_version: CLIENT_MIN_VERSION.to_owned(),
        }
    }
}

/// Whether a client and what it finds go together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compatibility {
    /// They do.
    Compatible,
    /// They do, but the function that counts usage is older than the client and should be updated.
    UpdateLambda(String),
    /// They do not: the client has to be upgraded.
    UpgradeClient(String),
    /// They do not: the records have to be migrated.
    MigrateSchema(String),
}

impl Compatibility {
    /// What has to be done; empty if nothing.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Compatible => "",
            Self::UpdateLambda(text) | Self::UpgradeClient(text) | Self::MigrateSchema(text) => text,
        }
    }
}

/// Why a client and a table do not go together: the source of the error that says so.
#[derive(Clone, Debug, thiserror::Error)]
#[error("client {client} cannot use a table of schema {}", .found.schema_version)]
#[non_exhaustive]
pub struct Mismatch {
    /// The version of the client.
    pub client: String,
    /// What the table remembers.
    pub found: InfrastructureVersion,
    /// What has to be done; never [`Compatibility::Compatible`].
    pub problem: Compatibility,
}

/// Compares the client's version with what the table remembers.
pub fn check_compatibility(
    client: &str,
    infra: &InfrastructureVersion,
) -> Result<Compatibility, VersionError> {
    let own: Version = client.parse()?;
    let least: Version = infra.client_min_version.parse()?;
    if own < least {
        return Ok(Compatibility::UpgradeClient(format!(
            "client {own} is older than {least}, the oldest that may use this table: upgrade zae-limiter"
        )));
    }
    let found: Version = infra.schema_version.parse()?;
    let known: Version = SCHEMA_VERSION.parse()?;
    if found.major > known.major {
        return Ok(Compatibility::UpgradeClient(format!(
            "the table has schema {found}, client {own} knows schema {known}: upgrade zae-limiter"
        )));
    }
    if found.major < known.major {
        return Ok(Compatibility::MigrateSchema(format!(
            "the table has schema {found}, client {own} needs schema {known}: migrate it, or use another table"
        )));
    }
    match infra.lambda_version.as_deref().map(str::parse::<Version>).transpose()? {
        Some(lambda) if lambda < own => Ok(Compatibility::UpdateLambda(format!(
            "the function that counts usage has version {lambda}, the client {own}: run `zae-limiter upgrade`"
        ))),
        _ => Ok(Compatibility::Compatible),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn reads_versions_of_all_kinds_and_orders_them() {
        let ordered =
            ["0.9.9", "v1.0.0-dev", "1.0.0-rc.1", "1.0.0", "1.0.1.dev3+gabc", "1.0.1", "1.2.0", "1.10.0"];
        assert!(ordered.map(version).is_sorted(), "{:?}", ordered.map(version));
        assert_eq!(version("1.2.3+build"), version("v1.2.3"));
        for bad in ["", "1", "1.2", "1.2.x", "a.b.c", "1.2.3-", "1.2.-3", "+1.2.3", "1.2.3 4", "v", "1..2"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_client_goes_together_with_what_it_writes() {
        let client = env!("CARGO_PKG_VERSION");
        let current = InfrastructureVersion::current();
        assert_eq!(check_compatibility(client, &current), Ok(Compatibility::Compatible));
        let own = InfrastructureVersion { lambda_version: Some(client.into()), ..current };
        assert_eq!(check_compatibility(client, &own), Ok(Compatibility::Compatible));
    }

    #[test]
    fn tells_what_has_to_be_done() {
        let with = |schema: &str, least: &str, lambda: Option<&str>| InfrastructureVersion {
            schema_version: schema.into(),
            client_min_version: least.into(),
            lambda_version: lambda.map(Into::into),
            template_version: None,
        };
        let check = |infra| check_compatibility("1.4.0", &infra).unwrap();
        assert!(matches!(check(with("1.0.0", "1.5.0", None)), Compatibility::UpgradeClient(_)));
        assert!(matches!(check(with("2.0.0", "1.0.0", None)), Compatibility::UpgradeClient(_)));
        assert!(matches!(check(with("0.9.0", "0.1.0", None)), Compatibility::MigrateSchema(_)));
        assert!(matches!(check(with("1.7.0", "0.1.0", Some("1.3.9"))), Compatibility::UpdateLambda(_)));
        assert_eq!(check(with("1.7.0", "0.1.0", Some("1.4.0"))), Compatibility::Compatible);
        assert!(check_compatibility("1.4.0", &with("one", "0.1.0", None)).is_err());
    }
}
