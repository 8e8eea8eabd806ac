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

impl Identity {
    /// The principal as IAM's simulator takes it: a user, or the role behind a session; `None` for root and for federated users.
    #[must_use]
    pub fn simulated(&self) -> Option<String> {
        let (head, resource) = self.arn.rsplit_once(':')?;
        match resource.split('/').collect::<Vec<_>>().as_slice() {
            ["user", ..] => Some(self.arn.clone()),
            // The path of the role is not in the session's ARN; IAM finds a role without one.
            ["assumed-role", role, ..] => Some(format!("{}:role/{role}", head.replace(":sts:", ":iam:"))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_be_simulated() {
        for (arn, expected) in [
            ("arn:aws:iam::1:user/a/bob", Some("arn:aws:iam::1:user/a/bob")),
            ("arn:aws:sts::1:assumed-role/Deployer/session", Some("arn:aws:iam::1:role/Deployer")),
            ("arn:aws:iam::1:root", None),
            ("arn:aws:sts::1:federated-user/x", None),
        ] {
            let identity = Identity { account: "1".into(), arn: arn.into(), partition: "aws".into() };
            assert_eq!(identity.simulated().as_deref(), expected, "{arn}");
        }
    }
}
