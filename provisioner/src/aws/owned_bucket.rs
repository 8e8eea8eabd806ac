//! A bucket together with the account that must own it.

/// A bucket of an account.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// The account that must own the bucket.
    pub owner: String,
}

impl Bucket {
    /// The bucket `name` of the account `owner`.
    pub fn new(name: impl Into<String>, owner: impl Into<String>) -> Self {
        Self { name: name.into(), owner: owner.into() }
    }
}
