//! Who acts: the account, the principal and the partition, from STS.

use super::error::explain;
use crate::error::{Error, Result};

/// The caller.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Twelve digits.
    pub account: String,
    /// The ARN of the user or assumed role.
    pub arn: String,
    /// `aws`, `aws-us-gov`, `aws-cn`, …
    pub partition: String,
}

/// Asks STS who the caller is. No permission is needed for it.
///
/// # Errors
/// No credentials, expired or unknown ones, or an endpoint that does not answer.
pub async fn caller(client: &aws_sdk_sts::Client) -> Result<Identity> {
    let reply = client
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| explain("cannot find out whose credentials these are", &error))?;
    let (Some(account), Some(arn)) = (reply.account, reply.arn) else {
        return Err(Error::new("STS answered without an account"));
    };
    let partition = arn.split(':').nth(1).unwrap_or("aws").to_owned();
    Ok(Identity { account, arn, partition })
}
