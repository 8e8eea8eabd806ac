//! The resources that the statements are about, as ARNs and conditions.
//!
//! Pure: names in, patterns out. A pattern has a wildcard only in place of what is not known beforehand.

use serde_json::{Map, Value, json};

use super::scope::{Holder, Scope};

/// What a statement is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Stack,
    Bucket,
    Pictures,
    PackageBucket,
    Packages,
    Function,
    Role,
    /// The function's role, when it is created and when its permissions are written: only with the boundary, if there
    /// is one.
    RolePermissions,
    /// The function's role, when it gets its boundary.
    RoleBoundary,
    /// The function's role, when it is passed to the function.
    PassedRole,
    /// The role that `CloudFormation` acts with.
    PassedServiceRole,
    /// The table of rows.
    Table,
    /// The table of pictures, which `Backfill` and `EraseRows` add.
    PictureTable,
    LogGroup,
    Queue,
    BackfillQueue,
    /// An event source mapping of the function that does not exist yet, so that it has no name.
    NewMapping,
    /// The function's event source mapping, whose name is a random UUID.
    Mapping,
    /// The same, for actions that do not know the function: of tags, and of a mapping that is gone.
    AnyMapping,
    AttachedBuckets,
    AttachedPictures,
    /// The rules for the attached buckets.
    Rules,
    /// The failure queue, as the place for what these rules cannot deliver.
    RuleFailures,
    /// Actions about the default event bus that have no resource.
    AttachedEvents,
    Alarms,
    /// Everything that has a region in its ARN, together.
    Regional,
    /// Actions that have no resource.
    Account,
}

impl On {
    /// The ARNs; none if the scope has no such resource. To attach buckets that are not named means to attach any.
    pub(super) fn arns(self, holder: Holder<'_>, attaches: bool, scope: &Scope<'_>) -> Vec<String> {
        let Scope { partition, account, stack, table, picture_bucket, package_bucket, role_path, .. } = *scope;
        let region = match scope.regions {
            [one] => one,
            _ => "*",
        };
        let here = |service: &str, rest: &str| format!("arn:{partition}:{service}:{region}:{account}:{rest}");
        let s3 = |rest: &str| format!("arn:{partition}:s3:::{rest}");
        let attached: &[&str] = if attaches && scope.attached.is_empty() { &["*"] } else { scope.attached };
        match self {
            // Events of a failed change set are asked for by its own ARN.
            Self::Stack => {
                vec![here("cloudformation", &format!("stack/{stack}/*")), here("cloudformation", "changeSet/*")]
            }
            Self::Bucket => vec![s3(picture_bucket)],
            Self::Pictures => vec![s3(&format!("{picture_bucket}/*"))],
            Self::PackageBucket => vec![s3(package_bucket)],
            Self::Packages => vec![s3(&format!("{package_bucket}/*"))],
            Self::Function => {
                let function = here("lambda", &format!("function:{stack}"));
                // The first is `$LATEST`, which the invoke configuration names.
                vec![format!("{function}:*"), function]
            }
            Self::RoleBoundary if scope.boundary.is_none() => Vec::new(),
            Self::Role | Self::RolePermissions | Self::RoleBoundary | Self::PassedRole => {
                vec![format!("arn:{partition}:iam::{account}:role{role_path}{}", generated(stack, "Role"))]
            }
            Self::PassedServiceRole => match holder {
                Holder::DeployerWith(role) => vec![role.to_owned()],
                Holder::Deployer | Holder::ServiceRole => Vec::new(),
            },
            Self::Table => vec![here("dynamodb", &format!("table/{table}"))],
            Self::PictureTable => vec![here("dynamodb", &format!("table/{table}Pictures"))],
            Self::LogGroup => {
                let group = here("logs", &format!("log-group:/aws/lambda/{stack}"));
                // Both forms are asked for: with the streams, and in the newer tagging calls without.
                vec![format!("{group}:*"), group]
            }
            Self::BackfillQueue => vec![here("sqs", &generated(stack, "BackfillQueue"))],
            Self::Mapping | Self::AnyMapping => vec![here("lambda", "event-source-mapping:*")],
            Self::AttachedBuckets => attached.iter().map(|bucket| s3(bucket)).collect(),
            Self::AttachedPictures => attached.iter().map(|bucket| s3(&format!("{bucket}/*"))).collect(),
            Self::Rules | Self::RuleFailures | Self::AttachedEvents if attached.is_empty() => Vec::new(),
            Self::Queue | Self::RuleFailures => vec![here("sqs", &generated(stack, "Queue"))],
            Self::Rules => vec![here("events", &format!("rule/{}", generated(stack, "")))],
            Self::Alarms => vec![here("cloudwatch", &format!("alarm:{}", generated(stack, "")))],
            Self::Regional => Vec::new(),
            Self::NewMapping | Self::AttachedEvents | Self::Account => vec!["*".to_owned()],
        }
    }

    /// What a request must be like besides; nothing for most.
    pub(super) fn condition(self, scope: &Scope<'_>) -> Option<Value> {
        let equals = match self {
            Self::PassedRole => json!({ "iam:PassedToService": "lambda.amazonaws.com" }),
            Self::PassedServiceRole => json!({ "iam:PassedToService": "cloudformation.amazonaws.com" }),
            Self::RolePermissions | Self::RoleBoundary => json!({ "iam:PermissionsBoundary": scope.boundary? }),
            Self::Regional if scope.regions.len() > 1 => json!({ "aws:RequestedRegion": scope.regions }),
            // Without a name the bucket could be anybody's.
            Self::AttachedBuckets | Self::AttachedPictures if matches!(scope.attached, [] | ["*"]) => {
                json!({ "aws:ResourceAccount": "${aws:PrincipalAccount}" })
            }
            Self::NewMapping | Self::Mapping => {
                let region = if let [one] = scope.regions { one } else { "*" };
                let Scope { partition, account, stack, .. } = *scope;
                let function = format!("arn:{partition}:lambda:{region}:{account}:function:{stack}");
                let mut condition = Map::new();
                condition.insert("ArnLike".into(), json!({ "lambda:FunctionArn": function }));
                if scope.regions.len() > 1 {
                    condition.insert("StringEquals".into(), json!({ "aws:RequestedRegion": scope.regions }));
                }
                return Some(condition.into());
            }
            _ => return None,
        };
        Some(json!({ "StringEquals": equals }))
    }

    /// Whether its ARNs hold a region. A bucket's name does, but not its ARN, and IAM is global.
    pub(super) const fn is_regional(self) -> bool {
        matches!(
            self,
            Self::Stack
                | Self::Function
                | Self::Table
                | Self::PictureTable
                | Self::LogGroup
                | Self::Queue
                | Self::BackfillQueue
                | Self::AnyMapping
                | Self::Rules
                | Self::RuleFailures
                | Self::Alarms
        )
    }
}

/// The pattern of a name that `CloudFormation` generates: stack, logical id, something random.
///
/// If the whole would be too long for the service, `CloudFormation` shortens the parts, apparently to 24 characters.
/// The pattern for a longer stack name is therefore its beginning.
pub(super) fn generated(stack: &str, logical_id: &str) -> String {
    match stack.char_indices().nth(24) {
        Some((end, _)) => format!("{}*", &stack[..end]),
        None if logical_id.is_empty() => format!("{stack}-*"),
        None => format!("{stack}-{logical_id}-*"),
    }
}
