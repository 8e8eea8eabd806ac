//! Whose policy it is, and where it holds.

/// Whose policy it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder<'a> {
    /// Who runs this program; `CloudFormation` acts with the same permissions.
    Deployer,
    /// Who runs this program and passes a service role, by its ARN, to `CloudFormation`.
    DeployerWith(&'a str),
    /// That service role.
    ServiceRole,
}

/// Where the policy holds.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// For example `aws`.
    pub partition: &'a str,
    /// Twelve digits, or `*`.
    pub account: &'a str,
    /// The regions; none stands for all.
    pub regions: &'a [&'a str],
    /// The name of the stack.
    pub stack: &'a str,
    /// The name of the table.
    pub table: &'a str,
    /// The name of the bucket for pictures; `*` may stand for a part of it, for example for the region if there are
    /// several.
    pub picture_bucket: &'a str,
    /// The name of the bucket for packages; likewise.
    pub package_bucket: &'a str,
    /// The path of the function's role: `/`, or a name between slashes.
    pub role_path: &'a str,
    /// The ARN of the permissions boundary that the function's role must have.
    pub boundary: Option<&'a str>,
    /// The names of the attached buckets.
    pub attached: &'a [&'a str],
}
