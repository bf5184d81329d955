//! Creating and deleting the table.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, IndexStatus, KeySchemaElement, KeyType,
    Projection, ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription,
    TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use zae_limiter_core::{Clock, StoreError, StoreErrorKind};

use crate::aws::Connection;
use crate::combine::Jitter;
use crate::options::DynamoDbOptions;
use crate::process::threads;
use crate::schema::{GSI1, GSI1_PK, GSI1_SK, GSI2, GSI2_PK, GSI2_SK, PK, SK, TTL};
use crate::skew::Skew;
use crate::threads::Threads;
use crate::version::InfrastructureVersion;

/// Between two looks at a table that is not ready yet.
const POLL: Duration = Duration::from_millis(500);
/// Looks at most: five minutes.
const POLLS: u32 = 600;

/// How far the creation or deletion of a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The table was not there and is being created.
    Creating,
    /// The table is there already.
    Exists,
    /// It is waited for, since so long.
    Waiting(Duration),
    /// Records are made to expire.
    EnablingExpiry,
    /// The table is being deleted.
    Deleting,
    /// All is done.
    Done,
}

/// Creates and deletes a table, without `CloudFormation`, and keeps its version record.
#[derive(Debug)]
pub struct TableAdmin {
    connection: Arc<Connection>,
    stream: bool,
    threads: &'static Threads,
}

impl TableAdmin {
    /// An administrator of the table that `options` name.
    pub async fn connect(
        options: DynamoDbOptions,
        clock: Arc<dyn Clock>,
        jitter: Jitter,
    ) -> Result<Self, StoreError> {
        let threads = threads()?;
        let stream = options.stream;
        let skew = Arc::new(Skew::new(options.skew_threshold));
        let connecting = async move { Connection::connect(&options, clock, jitter, skew).await };
        Ok(Self { connection: Arc::new(threads.look_up(connecting).await?), stream, threads })
    }

    /// Creates the table if there is none, and waits until it is ready. A table that is there already is left as it is;
    /// if it has another schema, that is an error.
    pub async fn create(&self, progress: impl FnMut(Progress) + Send + 'static) -> Result<(), StoreError> {
        let (connection, stream) = (Arc::clone(&self.connection), self.stream);
        self.threads.look_up(async move { connection.create_table(stream, progress).await }).await
    }

    /// Whether there is a table.
    pub async fn exists(&self) -> Result<bool, StoreError> {
        let connection = Arc::clone(&self.connection);
        self.threads.look_up(async move { Ok(connection.describe().await?.is_some()) }).await
    }

    /// The versions that the table remembers, if it does.
    pub async fn version(&self) -> Result<Option<InfrastructureVersion>, StoreError> {
        let connection = Arc::clone(&self.connection);
        self.threads.look_up(async move { connection.version().await }).await
    }

    /// Has the table remember these versions in place of others.
    pub async fn set_version(&self, version: InfrastructureVersion) -> Result<(), StoreError> {
        let connection = Arc::clone(&self.connection);
        self.threads.look_up(async move { connection.set_version(version).await }).await
    }

    /// Deletes the table with all that is in it, and waits until it is gone.
    pub async fn delete(&self, progress: impl FnMut(Progress) + Send + 'static) -> Result<(), StoreError> {
        let connection = Arc::clone(&self.connection);
        self.threads.look_up(async move { connection.delete_table(progress).await }).await
    }
}

impl Connection {
    /// Creates the table if there is none, and waits until it is ready. A table that is there already is left as it is,
    /// if its schema is right.
    pub(crate) async fn create_table(
        &self,
        stream: bool,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<(), StoreError> {
        if self.describe().await?.is_some() {
            progress(Progress::Exists);
        } else {
            progress(Progress::Creating);
            self.send_create(stream).await?;
        }
        let description = self.wait_until_active(&mut progress).await?;
        if let Some(problem) = problem_of(&description) {
            let message =
                format!("table {} is there already, but is not one of zae-limiter: {problem}", self.table);
            return Err(StoreError::new(StoreErrorKind::Incompatible, message));
        }
        self.enable_expiry(&mut progress).await?;
        self.write_version().await?;
        progress(Progress::Done);
        Ok(())
    }

    /// Deletes the table and waits until it is gone.
    pub(crate) async fn delete_table(
        &self,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<(), StoreError> {
        progress(Progress::Deleting);
        self.ask(self.clients.patient.delete_table().table_name(&self.table).send()).await?;
        let mut waited = Duration::ZERO;
        for _ in 0..POLLS {
            if self.describe().await?.is_none() {
                progress(Progress::Done);
                return Ok(());
            }
            progress(Progress::Waiting(waited));
            tokio::time::sleep(POLL).await;
            waited += POLL;
        }
        Err(self.too_slow("deleted", waited))
    }

    /// What is different about the table from what it should be.
    pub(crate) async fn schema_problem(&self) -> Result<Option<String>, StoreError> {
        Ok(self.describe().await?.as_ref().and_then(problem_of))
    }

    /// The name of the table's stream, if it has one that says how records were and how they are.
    pub(crate) async fn stream_arn(&self) -> Result<Option<String>, StoreError> {
        let output = self.ask(self.clients.patient.describe_table().table_name(&self.table).send()).await?;
        let Some(table) = output.table else { return Ok(None) };
        let tells_both = |stream: &StreamSpecification| {
            stream.stream_enabled() && stream.stream_view_type() == Some(&StreamViewType::NewAndOldImages)
        };
        Ok(table.latest_stream_arn.filter(|_| table.stream_specification.as_ref().is_some_and(tells_both)))
    }

    async fn describe(&self) -> Result<Option<TableDescription>, StoreError> {
        match self.ask(self.clients.patient.describe_table().table_name(&self.table).send()).await {
            Ok(output) => Ok(output.table),
            Err(failure) if failure.error.kind() == StoreErrorKind::Missing => Ok(None),
            Err(failure) => Err(failure.error),
        }
    }

    async fn send_create(&self, stream: bool) -> Result<(), StoreError> {
        let wrong = |error: aws_sdk_dynamodb::error::BuildError| {
            StoreError::new(StoreErrorKind::Invalid, error.to_string())
        };
        let mut create = self
            .clients
            .patient
            .create_table()
            .table_name(&self.table)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(keys(PK, SK).map_err(wrong)?));
        for name in [PK, SK, GSI1_PK, GSI1_SK, GSI2_PK, GSI2_SK] {
            let attribute =
                AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            create = create.attribute_definitions(attribute.build().map_err(wrong)?);
        }
        for (name, pk, sk, projection) in [
            (GSI1, GSI1_PK, GSI1_SK, ProjectionType::All),
            (GSI2, GSI2_PK, GSI2_SK, ProjectionType::KeysOnly),
        ] {
            let index = GlobalSecondaryIndex::builder()
                .index_name(name)
                .set_key_schema(Some(keys(pk, sk).map_err(wrong)?))
                .projection(Projection::builder().projection_type(projection).build());
            create = create.global_secondary_indexes(index.build().map_err(wrong)?);
        }
        if stream {
            let stream = StreamSpecification::builder()
                .stream_enabled(true)
                .stream_view_type(StreamViewType::NewAndOldImages);
            create = create.stream_specification(stream.build().map_err(wrong)?);
        }
        // That it exists meanwhile, created by somebody else, is well too.
        let _ = self.call(create.send()).await?;
        Ok(())
    }

    async fn wait_until_active(
        &self,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<TableDescription, StoreError> {
        let mut waited = Duration::ZERO;
        for _ in 0..POLLS {
            if let Some(description) = self.describe().await?
                && is_active(&description)
            {
                return Ok(description);
            }
            progress(Progress::Waiting(waited));
            tokio::time::sleep(POLL).await;
            waited += POLL;
        }
        Err(self.too_slow("ready", waited))
    }

    async fn enable_expiry(&self, progress: &mut (impl FnMut(Progress) + Send)) -> Result<(), StoreError> {
        if self.expires().await? {
            return Ok(());
        }
        progress(Progress::EnablingExpiry);
        let expiry = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build();
        let expiry = expiry.map_err(|error| StoreError::new(StoreErrorKind::Invalid, error.to_string()))?;
        let send = self.clients.patient.update_time_to_live().table_name(&self.table);
        match self.ask(send.time_to_live_specification(expiry).send()).await {
            Ok(_) => Ok(()),
            // Somebody else may have done it meanwhile, which is well too.
            Err(_) if self.expires().await? => Ok(()),
            Err(failure) => Err(failure.error),
        }
    }

    /// Whether records are made to expire already.
    async fn expires(&self) -> Result<bool, StoreError> {
        let told =
            self.ask(self.clients.patient.describe_time_to_live().table_name(&self.table).send()).await?;
        let status =
            told.time_to_live_description().and_then(|description| description.time_to_live_status());
        Ok(matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)))
    }

    fn too_slow(&self, state: &str, waited: Duration) -> StoreError {
        let message = format!("table {} was still not {state} after {} s", self.table, waited.as_secs());
        StoreError::new(StoreErrorKind::Unavailable, message)
    }
}

fn keys(pk: &str, sk: &str) -> Result<Vec<KeySchemaElement>, aws_sdk_dynamodb::error::BuildError> {
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    Ok(vec![key(pk, KeyType::Hash)?, key(sk, KeyType::Range)?])
}

fn is_active(table: &TableDescription) -> bool {
    let index_active =
        |status: Option<&IndexStatus>| status.is_none_or(|status| *status == IndexStatus::Active);
    table.table_status() == Some(&TableStatus::Active)
        && table.global_secondary_indexes().iter().all(|index| index_active(index.index_status()))
}

/// What is different about a table from what it should be.
fn problem_of(table: &TableDescription) -> Option<String> {
    let has_keys = |schema: &[KeySchemaElement], pk: &str, sk: &str| {
        let named = |kind: &KeyType| {
            schema
                .iter()
                .find(|key| key.key_type() == kind)
                .map(aws_sdk_dynamodb::types::KeySchemaElement::attribute_name)
        };
        named(&KeyType::Hash) == Some(pk) && named(&KeyType::Range) == Some(sk)
    };
    if !has_keys(table.key_schema(), PK, SK) {
        return Some(format!("its keys are not {PK} and {SK}"));
    }
    for (name, pk, sk) in [(GSI1, GSI1_PK, GSI1_SK), (GSI2, GSI2_PK, GSI2_SK)] {
        let Some(index) =
            table.global_secondary_indexes().iter().find(|index| index.index_name() == Some(name))
        else {
            return Some(format!("it has no index {name}"));
        };
        if !has_keys(index.key_schema(), pk, sk) {
            return Some(format!("the keys of its index {name} are not {pk} and {sk}"));
        }
    }
    let text = |name: &str| {
        let attribute =
            table.attribute_definitions().iter().find(|attribute| attribute.attribute_name() == name);
        attribute.is_none_or(|attribute| *attribute.attribute_type() == ScalarAttributeType::S)
    };
    let wrong = [PK, SK, GSI1_PK, GSI1_SK, GSI2_PK, GSI2_SK].into_iter().find(|name| !text(name));
    wrong.map(|name| format!("its key {name} is not a text"))
}
