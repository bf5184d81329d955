//! The stream, through the AWS SDK.

use std::future::Future;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::config::http::HttpResponse;
use aws_sdk_dynamodbstreams::config::retry::RetryConfig;
use aws_sdk_dynamodbstreams::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodbstreams::types::{Record, ShardIteratorType};
use zae_limiter_core::StoreError;
use zae_limiter_store_dynamodb::{DynamoDbOptions, sdk_config, store_error};

pub use super::shards::Shard;

/// Tries of a request: none of them changes anything.
const ATTEMPTS: u32 = 4;

/// Some records of a shard.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In their order; may be none.
    pub records: Vec<Record>,
    /// Where to go on; `None` at the end of the shard.
    pub next: Option<String>,
}

/// Why a shard cannot be read from where it was to be.
#[derive(Debug)]
pub enum ReadError {
    /// Records from there on are gone: streams keep them for a day.
    Trimmed,
    /// The iterator is too old; another one is to be had.
    Expired,
    /// There is no such shard, or no such stream.
    Gone,
    /// Anything else.
    Other(StoreError),
}

/// A stream of records.
pub trait Source {
    /// All shards that it has.
    fn shards(&self) -> impl Future<Output = Result<Vec<Shard>, StoreError>> + Send;

    /// An iterator over the records of a shard, after the one with a sequence number, or from the first that is left.
    fn iterator(
        &self,
        shard: &str,
        after: Option<&str>,
    ) -> impl Future<Output = Result<String, ReadError>> + Send;

    /// The next records of an iterator.
    fn records(&self, iterator: &str) -> impl Future<Output = Result<Page, ReadError>> + Send;
}

/// The stream of a table in DynamoDB.
#[derive(Clone, Debug)]
pub struct TableStream {
    client: Client,
    arn: String,
    table: String,
    batch: i32,
}

impl TableStream {
    /// The stream called `arn` of the table that `options` name, `batch` records at a time.
    pub async fn connect(options: &DynamoDbOptions, arn: &str, batch: i32) -> Result<Self, StoreError> {
        let config = sdk_config(options).await?;
        let config = aws_sdk_dynamodbstreams::config::Builder::from(&config)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
        let client = Client::from_conf(config.build());
        Ok(Self { client, arn: arn.to_owned(), table: options.table.to_string(), batch })
    }

    fn read_error<E>(&self, error: SdkError<E, HttpResponse>) -> ReadError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match error.as_service_error().and_then(ProvideErrorMetadata::code) {
            Some("TrimmedDataAccessException") => ReadError::Trimmed,
            Some("ExpiredIteratorException") => ReadError::Expired,
            Some("ResourceNotFoundException") => ReadError::Gone,
            _ => ReadError::Other(store_error(error, &self.table)),
        }
    }
}

impl Source for TableStream {
    async fn shards(&self) -> Result<Vec<Shard>, StoreError> {
        let (mut shards, mut from) = (Vec::new(), None);
        loop {
            let send =
                self.client.describe_stream().stream_arn(&self.arn).set_exclusive_start_shard_id(from).send();
            let output = Box::pin(send).await.map_err(|error| store_error(error, &self.table))?;
            let Some(description) = output.stream_description else { return Ok(shards) };
            let told = description.shards.unwrap_or_default().into_iter();
            shards.extend(
                told.filter_map(|shard| Some(Shard { id: shard.shard_id?, parent: shard.parent_shard_id })),
            );
            from = description.last_evaluated_shard_id;
            if from.is_none() {
                return Ok(shards);
            }
        }
    }

    async fn iterator(&self, shard: &str, after: Option<&str>) -> Result<String, ReadError> {
        let kind = match after {
            Some(_) => ShardIteratorType::AfterSequenceNumber,
            None => ShardIteratorType::TrimHorizon,
        };
        let send = self
            .client
            .get_shard_iterator()
            .stream_arn(&self.arn)
            .shard_id(shard)
            .shard_iterator_type(kind)
            .set_sequence_number(after.map(str::to_owned));
        let output = Box::pin(send.send()).await.map_err(|error| self.read_error(error))?;
        output.shard_iterator.ok_or(ReadError::Gone)
    }

    async fn records(&self, iterator: &str) -> Result<Page, ReadError> {
        let send = self.client.get_records().shard_iterator(iterator).limit(self.batch).send();
        let output = Box::pin(send).await.map_err(|error| self.read_error(error))?;
        Ok(Page { records: output.records.unwrap_or_default(), next: output.next_shard_iterator })
    }
}
