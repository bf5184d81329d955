//! The bucket that the function's package is kept in: CloudFormation takes it from there when it creates the function.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
use aws_sdk_s3::primitives::ByteStream;

use super::{Aws, Progress};
use crate::error::{DeployError, classify};
use crate::package::Package;
use crate::stack::progress::Tell;

impl Aws {
    /// Uploads a package.
    pub(super) async fn upload(
        &self,
        bucket: &str,
        package: &Package,
        tell: &mut Tell,
    ) -> Result<(), DeployError> {
        tell(Progress::Uploading { bytes: package.zip().len() });
        let request = self.s3.put_object().bucket(bucket).key(package.object_key());
        let request = request.content_type("application/zip").body(ByteStream::from(package.zip().to_vec()));
        let answer = request.send().await;
        answer.map_err(|error| classify(&format!("upload the package to bucket {bucket}"), error))?;
        Ok(())
    }

    /// Deletes all objects but the one that is kept. A bucket that is not there is empty.
    pub(super) async fn clear(&self, bucket: &str, kept: Option<&str>) -> Result<(), DeployError> {
        let mut from = None;
        loop {
            let request = self.s3.list_objects_v2().bucket(bucket).set_continuation_token(from);
            let listed = match request.send().await {
                Ok(listed) => listed,
                Err(error) if error.as_service_error().is_some_and(ListObjectsV2Error::is_no_such_bucket) => {
                    return Ok(());
                }
                Err(error) => return Err(classify(&format!("list bucket {bucket}"), error)),
            };
            for object in listed.contents() {
                let Some(key) = object.key().filter(|key| Some(*key) != kept) else { continue };
                let answer = self.s3.delete_object().bucket(bucket).key(key).send().await;
                answer.map_err(|error| classify(&format!("delete {key} from bucket {bucket}"), error))?;
            }
            from = listed.next_continuation_token;
            if from.is_none() {
                return Ok(());
            }
        }
    }
}
