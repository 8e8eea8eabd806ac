//! The credentials of every local cloud. Invariant: AWS can never have issued them.

/// A key pair that every local cloud accepts as its root user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// Twelve digits: the emulator takes such a key as the root user of the account with that number.
    pub access_key_id: &'static str,
    /// Not a secret.
    pub secret_access_key: &'static str,
    /// The account that STS `GetCallerIdentity` returns.
    pub account_id: &'static str,
}

impl Credentials {
    /// The access key and the secret key.
    #[must_use]
    pub const fn key_pair(self) -> (&'static str, &'static str) {
        (self.access_key_id, self.secret_access_key)
    }
}

/// The credentials of every local cloud.
#[must_use]
pub const fn credentials() -> Credentials {
    Credentials { access_key_id: "000000000000", secret_access_key: "test", account_id: "000000000000" }
}
