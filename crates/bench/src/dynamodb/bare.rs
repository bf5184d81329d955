//! The yardstick: an unconditional `UpdateItem` that adds to a number.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use zae_limiter_store_dynamodb::schema;

#[derive(Clone)]
pub(crate) struct Bare {
    client: Client,
    table: String,
}

impl Bare {
    pub(crate) fn new(endpoint: &str, table: &str) -> Self {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(endpoint)
            .region(Region::new("us-east-1"))
            .retry_config(RetryConfig::disabled())
            .credentials_provider(Credentials::new("local", "local", None, None, "bench"));
        Self { client: Client::from_conf(config.build()), table: table.to_owned() }
    }

    pub(crate) async fn update(&self, item: &str) -> Result<(), aws_sdk_dynamodb::Error> {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(schema::PK, AttributeValue::S(format!("BARE#{item}")))
            .key(schema::SK, AttributeValue::S("#".to_owned()))
            .update_expression("ADD n :one")
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .send()
            .await?;
        Ok(())
    }
}
