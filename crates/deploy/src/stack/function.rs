//! The function in Lambda: its code and its versions.

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture as LambdaArchitecture, LastUpdateStatus};

use super::{Aws, Progress};
use crate::error::{DeployError, DeployErrorKind, classify};
use crate::package::Package;
use crate::stack::progress::Tell;

/// Looks at a function whose code is being replaced, at most.
const LOOKS: u32 = 200;

impl Aws {
    pub(super) async fn function(&self, name: &str) -> Result<GetFunctionConfigurationOutput, DeployError> {
        let sent = self.lambda.get_function_configuration().function_name(name).send().await;
        sent.map_err(|error| classify(&format!("look at function {name}"), error))
    }

    /// Has the function run this package, and publishes that as a version. What is so already is left alone.
    pub(super) async fn publish(
        &self,
        name: &str,
        package: &Package,
        tell: &mut Tell,
    ) -> Result<String, DeployError> {
        let present = self.settled(name).await?;
        if present.code_sha256() != Some(package.sha256_base64().as_str()) {
            tell(Progress::Uploading { bytes: package.zip().len() });
            let sent = self
                .lambda
                .update_function_code()
                .function_name(name)
                .zip_file(Blob::new(package.zip()))
                .architectures(LambdaArchitecture::from(package.architecture().as_str()))
                .send()
                .await;
            sent.map_err(|error| classify(&format!("update the code of function {name}"), error))?;
            let updated = self.settled(name).await?;
            if updated.last_update_status() == Some(&LastUpdateStatus::Failed) {
                let why = updated.last_update_status_reason().unwrap_or("no reason given").to_owned();
                let what = format!("the code of function {name} could not be replaced");
                return Err(DeployError::failed(&what, vec![why], "Run the command again"));
            }
        }
        let request = self.lambda.publish_version().function_name(name);
        let request = request.description(concat!("zae-limiter ", env!("CARGO_PKG_VERSION")));
        let answer = request.send().await;
        let published =
            answer.map_err(|error| classify(&format!("publish a version of function {name}"), error))?;
        let version = published.version.unwrap_or_default();
        tell(Progress::Published { version: version.clone() });
        Ok(version)
    }

    /// Waits until a change of the function is done.
    async fn settled(&self, name: &str) -> Result<GetFunctionConfigurationOutput, DeployError> {
        for _ in 0..LOOKS {
            let function = self.function(name).await?;
            if function.last_update_status() != Some(&LastUpdateStatus::InProgress) {
                return Ok(function);
            }
            tokio::time::sleep(self.poll).await;
        }
        let message = format!("function {name} is still being updated: try again later");
        Err(DeployError::new(DeployErrorKind::Busy, message))
    }
}
