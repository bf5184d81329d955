//! The services that a stack is made of.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use zae_limiter_core::Clock;
use zae_limiter_store_dynamodb::{DynamoDbOptions, TableAdmin, sdk_config};

use crate::error::DeployError;

/// A random delay of at most so long.
pub type Jitter = Arc<dyn Fn(Duration) -> Duration + Send + Sync>;

/// Tries of a request. All of them are safe to repeat: they ask, or carry a token or a state to be reached.
const ATTEMPTS: u32 = 5;
/// Packages of some MB pass through slow lines too.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(2);
/// Between two looks at what takes minutes.
const POLL: Duration = Duration::from_secs(3);
/// Between two looks at an emulator, which takes moments.
const EMULATOR_POLL: Duration = Duration::from_millis(100);

/// Clients of all services.
pub(crate) struct Aws {
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) table: TableAdmin,
    pub(crate) table_name: String,
    /// Whether an endpoint is named, so that this is not AWS.
    pub(crate) emulated: bool,
    pub(crate) region: String,
    pub(crate) poll: Duration,
}

impl Aws {
    pub(crate) async fn connect(
        options: DynamoDbOptions,
        clock: Arc<dyn Clock>,
        jitter: Jitter,
    ) -> Result<Self, DeployError> {
        let config = Box::pin(sdk_config(&options)).await?;
        let emulated = config.endpoint_url().is_some();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(ATTEMPT_TIMEOUT);
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let config = config
            .into_builder()
            .timeout_config(timeouts.build())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .build();
        // Emulators have no host for every bucket.
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(emulated).build();
        Ok(Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            table_name: options.table.to_string(),
            table: Box::pin(TableAdmin::connect(options, clock, jitter)).await?,
            emulated,
            region,
            poll: if emulated { EMULATOR_POLL } else { POLL },
        })
    }
}
