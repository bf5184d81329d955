//! The record of the schema's version.

use aws_sdk_dynamodb::types::AttributeValue;
use zae_limiter_core::{StoreError, StoreErrorKind};

use crate::aws::{Attributes, Connection, Key, Malformed, text};
use crate::schema::{self, PK, SK};
use crate::stats::Access;
use crate::version::{Compatibility, InfrastructureVersion, Mismatch, check_compatibility};

const SCHEMA: &str = "schema_version";
const CLIENT_MIN: &str = "client_min_version";
const LAMBDA: &str = "lambda_version";
const TEMPLATE: &str = "template_version";

impl Connection {
    fn version_key(&self) -> Key {
        (self.ns.system(), schema::VERSION_SK.to_owned())
    }

    /// What the table remembers of what was deployed.
    pub(crate) async fn version(&self) -> Result<Option<InfrastructureVersion>, StoreError> {
        let item = self.get_item(&self.version_key()).await?;
        let read = item.map(|item| read(&item)).transpose();
        read.map_err(|malformed| malformed.of(format!("the version record of table {}", self.table)))
    }

    /// Writes down this client's version, unless there is one already.
    pub(crate) async fn write_version(&self) -> Result<(), StoreError> {
        let send = self
            .clients
            .patient
            .put_item()
            .table_name(&self.table)
            .set_item(Some(attributes(self.version_key(), InfrastructureVersion::current())))
            .condition_expression("attribute_not_exists(#p)")
            .expression_attribute_names("#p", PK)
            .set_return_consumed_capacity(self.wanted_capacity());
        // A condition that fails says that somebody else was first: also well.
        if let Ok(output) = self.call(send.send()).await? {
            self.count(Access::Write, output.consumed_capacity());
        }
        Ok(())
    }

    /// Writes down versions in place of those that are there.
    pub(crate) async fn set_version(&self, version: InfrastructureVersion) -> Result<(), StoreError> {
        let key = self.version_key();
        let send = self
            .clients
            .patient
            .put_item()
            .table_name(&self.table)
            .set_item(Some(attributes(key, version)))
            .set_return_consumed_capacity(self.wanted_capacity());
        let output = self.ask(send.send()).await?;
        self.count(Access::Write, output.consumed_capacity());
        Ok(())
    }

    /// Compares this client with what the table remembers; what has no version record gets one. `strict` does not let
    /// a function pass that is older than the client either.
    pub(crate) async fn check_version(&self, strict: bool) -> Result<(), StoreError> {
        let Some(found) = self.version().await? else { return self.write_version().await };
        let client = env!("CARGO_PKG_VERSION");
        let incompatible = |problem: &str| {
            let message = format!("table {}: {problem}", self.table);
            StoreError::new(StoreErrorKind::Incompatible, message)
        };
        match check_compatibility(client, &found) {
            Ok(Compatibility::UpdateLambda(_)) if !strict => Ok(()),
            Ok(Compatibility::Compatible) => Ok(()),
            Ok(problem) => {
                let error = incompatible(problem.as_str());
                Err(error.with_source(Mismatch { client: client.to_owned(), found, problem }))
            }
            Err(error) => Err(incompatible(&error.to_string())),
        }
    }
}

fn attributes((pk, sk): Key, version: InfrastructureVersion) -> Attributes {
    let known = [
        (PK, Some(pk)),
        (SK, Some(sk)),
        (SCHEMA, Some(version.schema_version)),
        (CLIENT_MIN, Some(version.client_min_version)),
        (LAMBDA, version.lambda_version),
        (TEMPLATE, version.template_version),
    ];
    let known = known.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?)));
    known.map(|(name, text)| (name, AttributeValue::S(text))).collect()
}

fn read(item: &Attributes) -> Result<InfrastructureVersion, Malformed> {
    let optional = |name| Ok(text(item, name)?.map(str::to_owned));
    let required = |name| optional(name)?.ok_or_else(|| Malformed::new(name, "is missing"));
    Ok(InfrastructureVersion {
        schema_version: required(SCHEMA)?,
        client_min_version: required(CLIENT_MIN)?,
        lambda_version: optional(LAMBDA)?,
        template_version: optional(TEMPLATE)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_reads_back_as_written() {
        let key = || ("SYSTEM#".to_owned(), schema::VERSION_SK.to_owned());
        let plain = InfrastructureVersion::current();
        let mut full = plain.clone();
        full.lambda_version = Some("0.2.0".into());
        full.template_version = Some("0.3.0".into());
        for version in [plain, full] {
            assert_eq!(read(&attributes(key(), version.clone())).ok(), Some(version));
        }
    }
}
