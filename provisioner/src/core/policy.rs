//! The least that an identity must be allowed in order to deploy, prove or remove one stack, as an IAM policy.
//!
//! Pure: names in, JSON out. `CloudFormation` acts with its caller's rights, so the policy covers what the resources of
//! `templates/stack.yaml` need as well as the calls of this program; the judges beside the template hold it against the permissions that
//! `CloudFormation` publishes for each resource type.
//!
//! What it is not: a fence around an adversary. Who may write a role's policy and hand that role to a function can reach whatever a role
//! can; where that matters, a permissions boundary belongs on the identity.
//!
//! `sts:GetCallerIdentity` is missing on purpose: it needs no permission.

mod grants;

use serde_json::{Value, json};

use grants::{DOWN, EVERY, GRANTS, Grant, On, SMOKE, UP};

/// What the policy is for. Each is enough for its command alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `up` and `plan`: deploy and prove.
    Up,
    /// `smoke` and `detect`: prove what stands.
    Smoke,
    /// `down`: remove everything, the data too.
    Down,
    /// Every command: those, and `status`, `logs`, `regions`, drift and the failure queue.
    All,
}

/// Where the policy holds.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// As `aws`.
    pub partition: &'a str,
    /// Twelve digits, or `*`.
    pub account: &'a str,
    /// The regions; none stands for any.
    pub regions: &'a [&'a str],
    /// The name of the stack.
    pub stack: &'a str,
    /// The name of the table.
    pub table: &'a str,
    /// The name of the bucket for pictures; `*` may stand for a part of it, as for the region where there are several.
    pub bucket: &'a str,
    /// The name of the bucket for packages; likewise.
    pub artefacts: &'a str,
}

impl Purpose {
    const fn bits(self) -> u8 {
        match self {
            Self::Up => UP,
            Self::Smoke => SMOKE,
            Self::Down => DOWN,
            Self::All => EVERY,
        }
    }
}

/// The policy document for a purpose in a scope.
///
/// For one region, its ARNs name it. For several they hold `*` there, and one statement bound to the regions by a condition takes the
/// place of many: so the document stays within the 6,144 characters of a managed policy.
#[must_use]
pub fn document(purpose: Purpose, scope: &Scope<'_>) -> Value {
    let mut statements: Vec<Statement> = GRANTS.iter().filter_map(|grant| grant.statement(purpose, scope)).collect();
    if scope.regions.len() > 1 {
        let (regional, global) = statements.into_iter().partition(|statement| statement.on.is_regional());
        statements = vec![Statement::merge(regional)];
        statements.extend::<Vec<_>>(global);
    }
    let statements: Vec<Value> = statements.iter().map(|statement| statement.json(scope)).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The actions and resources of each statement of a policy.
#[must_use]
pub fn statements(document: &Value) -> Vec<(Vec<String>, Vec<String>)> {
    let texts = |value: &Value| match value {
        Value::String(one) => vec![one.clone()],
        many => many.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
    };
    let all = document["Statement"].as_array().into_iter().flatten();
    all.map(|statement| (texts(&statement["Action"]), texts(&statement["Resource"]))).collect()
}

/// A statement before it is JSON.
struct Statement {
    sid: &'static str,
    on: On,
    actions: Vec<String>,
    resources: Vec<String>,
}

impl Grant {
    fn statement(&self, purpose: Purpose, scope: &Scope<'_>) -> Option<Statement> {
        let qualified = |name: &&str| match self.service {
            "" => (*name).to_owned(),
            service => format!("{service}:{name}"),
        };
        let mut actions: Vec<String> = self
            .actions
            .iter()
            .filter(|(purposes, _)| purposes & purpose.bits() != 0)
            .flat_map(|(_, names)| names.iter().map(qualified))
            .collect();
        actions.sort_unstable();
        let resources = self.on.arns(scope);
        let is_empty = actions.is_empty() || resources.is_empty();
        (!is_empty).then_some(Statement { sid: self.sid, on: self.on, actions, resources })
    }
}

impl Statement {
    /// One statement for several: an action only ever meets resources of its own kind.
    fn merge(statements: Vec<Self>) -> Self {
        let mut merged = Self { sid: "Regional", on: On::Regions, actions: Vec::new(), resources: Vec::new() };
        for statement in statements {
            merged.actions.extend(statement.actions);
            merged.resources.extend(statement.resources);
        }
        merged
    }

    fn json(&self, scope: &Scope<'_>) -> Value {
        // IAM takes one string as well as a list, and counts characters.
        let resource = match self.resources.as_slice() {
            [one] => json!(one),
            many => json!(many),
        };
        let mut statement = json!({ "Sid": self.sid, "Effect": "Allow", "Action": self.actions, "Resource": resource });
        match self.on {
            On::PassedRole => {
                statement["Condition"] = json!({ "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } });
            }
            On::Regions => {
                statement["Condition"] = json!({ "StringEquals": { "aws:RequestedRegion": scope.regions } });
            }
            _ => {}
        }
        statement
    }
}

impl On {
    fn arns(self, scope: &Scope<'_>) -> Vec<String> {
        let Scope { partition, account, stack, table, bucket, artefacts, .. } = *scope;
        let region = match scope.regions {
            [one] => one,
            _ => "*",
        };
        let here = |service: &str, rest: &str| format!("arn:{partition}:{service}:{region}:{account}:{rest}");
        match self {
            Self::Stack => {
                // Events of a failed change set are asked for by its own ARN.
                vec![here("cloudformation", &format!("stack/{stack}/*")), here("cloudformation", "changeSet/*")]
            }
            Self::Bucket => vec![format!("arn:{partition}:s3:::{bucket}")],
            Self::Pictures => vec![format!("arn:{partition}:s3:::{bucket}/*")],
            Self::ArtefactBucket => vec![format!("arn:{partition}:s3:::{artefacts}")],
            Self::Artefacts => vec![format!("arn:{partition}:s3:::{artefacts}/*")],
            Self::Function => {
                let function = here("lambda", &format!("function:{stack}"));
                // The second is `$LATEST`, which the invoke configuration names.
                vec![format!("{function}:*"), function]
            }
            Self::Role | Self::PassedRole => {
                vec![format!("arn:{partition}:iam::{account}:role/{}", generated(stack, "Role"))]
            }
            Self::Table => vec![here("dynamodb", &format!("table/{table}"))],
            Self::LogGroup => {
                let group = here("logs", &format!("log-group:/aws/lambda/{stack}"));
                // Both forms are asked for: with the streams, and in the newer tagging calls without.
                vec![format!("{group}:*"), group]
            }
            Self::Queue => vec![here("sqs", &generated(stack, "Queue"))],
            Self::Alarms => vec![here("cloudwatch", &format!("alarm:{}", generated(stack, "")))],
            Self::Regions => Vec::new(),
            Self::Account => vec!["*".to_owned()],
        }
    }

    /// Whether its ARNs hold a region. A bucket's name does, but not its ARN, and IAM is global.
    const fn is_regional(self) -> bool {
        matches!(self, Self::Stack | Self::Function | Self::Table | Self::LogGroup | Self::Queue | Self::Alarms)
    }
}

/// The pattern of a name that `CloudFormation` generates: stack, logical id, something random.
///
/// Where the whole would be too long for the service, `CloudFormation` cuts the parts, to 24 characters by all accounts; a longer stack name
/// is therefore matched by its beginning alone.
fn generated(stack: &str, logical_id: &str) -> String {
    match stack.char_indices().nth(24) {
        Some((end, _)) => format!("{}*", &stack[..end]),
        None if logical_id.is_empty() => format!("{stack}-*"),
        None => format!("{stack}-{logical_id}-*"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Scope<'_> = Scope {
        partition: "aws",
        account: "123456789012",
        regions: &["eu-west-1"],
        stack: "face-recognition",
        table: "FaceData",
        bucket: "face-recognition-123456789012-eu-west-1-an",
        artefacts: "provisioner-artefacts-123456789012-eu-west-1-an",
    };
    const PURPOSES: [(&str, Purpose); 4] =
        [("up", Purpose::Up), ("smoke", Purpose::Smoke), ("down", Purpose::Down), ("all", Purpose::All)];

    fn statements(document: &Value) -> &[Value] {
        document["Statement"].as_array().expect("statements")
    }

    fn actions(document: &Value) -> Vec<&str> {
        let lists = statements(document).iter().filter_map(|statement| statement["Action"].as_array());
        lists.flatten().filter_map(Value::as_str).collect()
    }

    #[test]
    fn what_each_purpose_may() {
        for (action, up, smoke, down, all) in [
            ("cloudformation:CreateStack", true, false, false, true),
            ("cloudformation:DeleteStack", true, false, true, true),
            ("cloudformation:DescribeStacks", true, true, true, true),
            ("cloudformation:DetectStackDrift", false, false, false, true),
            ("s3:PutObject", true, true, false, true),
            ("s3:DeleteObjectVersion", true, true, true, true),
            ("dynamodb:GetItem", true, true, false, true),
            ("dynamodb:DeleteTable", true, false, true, true),
            ("iam:PassRole", true, false, false, true),
            ("iam:AttachRolePolicy", false, false, false, false),
            ("lambda:InvokeFunction", false, false, false, true),
            ("sqs:ReceiveMessage", false, false, false, true),
            ("servicequotas:ListServiceQuotas", true, false, false, true),
            ("sts:GetCallerIdentity", false, false, false, false),
        ] {
            for ((name, purpose), expected) in PURPOSES.into_iter().zip([up, smoke, down, all]) {
                let document = document(purpose, &ONE);
                assert_eq!(actions(&document).contains(&action), expected, "{action} for {name}");
            }
        }
    }

    #[test]
    fn all_is_the_sum_and_nothing_is_granted_twice() {
        let all = document(Purpose::All, &ONE);
        for (name, purpose) in PURPOSES {
            let document = document(purpose, &ONE);
            for statement in statements(&document) {
                let sid = &statement["Sid"];
                let whole = statements(&all).iter().find(|other| &other["Sid"] == sid).expect("a statement of `all`");
                let names = |statement: &Value| -> Vec<String> {
                    statement["Action"].as_array().into_iter().flatten().map(ToString::to_string).collect()
                };
                let (part, whole) = (names(statement), names(whole));
                assert!(part.iter().all(|action| whole.contains(action)), "{name} {sid}");
                assert!(part.is_sorted_by(|a, b| a < b), "{name} {sid}: out of order or double");
            }
        }
    }

    #[test]
    fn no_wildcard_where_a_name_will_do() {
        for (name, purpose) in PURPOSES {
            let document = document(purpose, &ONE);
            let open: Vec<_> = actions(&document).into_iter().filter(|action| action.contains('*')).collect();
            assert!(open.iter().all(|action| action.starts_with("s3:Get")), "{name}: {open:?}");
            for statement in statements(&document) {
                let open = statement["Resource"] == "*";
                let without_resource = statement["Sid"] == "Account";
                assert_eq!(open, without_resource, "{name} {}", statement["Sid"]);
            }
        }
    }

    #[test]
    fn fits_into_a_managed_policy() {
        let (long, bucket) = ("x".repeat(64), format!("{}-123456789012-us-gov-west-1-an", "x".repeat(32)));
        for scope in [
            ONE,
            Scope { partition: "aws-us-gov", stack: &long, bucket: &bucket, regions: &["us-gov-west-1"], ..ONE },
            Scope { regions: &["eu-west-1", "eu-central-1", "ap-northeast-1"], ..ONE },
            Scope { regions: &[], account: "*", ..ONE },
        ] {
            let length = document(Purpose::All, &scope).to_string().len();
            assert!(length <= 6_144, "{length} characters for {scope:?}");
        }
    }

    #[test]
    fn one_region_several_and_any() {
        for (regions, sid, arn, bound) in [
            (&["eu-west-1"] as &[&str], "Table", "arn:aws:dynamodb:eu-west-1:123456789012:table/FaceData", None),
            (&[], "Table", "arn:aws:dynamodb:*:123456789012:table/FaceData", None),
            (
                &["eu-west-1", "us-east-1"],
                "Regional",
                "arn:aws:dynamodb:*:123456789012:table/FaceData",
                Some(json!({ "StringEquals": { "aws:RequestedRegion": ["eu-west-1", "us-east-1"] } })),
            ),
        ] {
            let document = document(Purpose::Down, &Scope { regions, ..ONE });
            let table = statements(&document).iter().find(|statement| statement["Sid"] == sid).expect("the table");
            assert!(
                table["Resource"] == arn || table["Resource"].as_array().is_some_and(|arns| arns.contains(&json!(arn)))
            );
            assert_eq!(table.get("Condition"), bound.as_ref());
        }
    }

    #[test]
    fn several_regions_allow_the_same_actions() {
        for (name, purpose) in PURPOSES {
            let sorted = |regions| {
                let document = document(purpose, &Scope { regions, ..ONE });
                let mut names: Vec<_> = actions(&document).into_iter().map(ToOwned::to_owned).collect();
                names.sort_unstable();
                names
            };
            assert_eq!(sorted(&["eu-west-1"]), sorted(&["eu-west-1", "us-east-1"]), "{name}");
        }
    }

    #[test]
    fn another_partition_has_its_own_arns() {
        let scope = Scope { partition: "aws-us-gov", regions: &["us-gov-west-1"], ..ONE };
        let document = document(Purpose::All, &scope);
        assert!(!document.to_string().contains("arn:aws:"));
    }

    #[test]
    fn generated_names() {
        let (fits, long) = ("x".repeat(24), "y".repeat(25));
        for (stack, logical_id, expected) in [
            ("face-recognition", "Role", "face-recognition-Role-*".to_owned()),
            ("face-recognition", "", "face-recognition-*".to_owned()),
            (&fits, "Role", format!("{fits}-Role-*")),
            (&long, "Role", format!("{}*", "y".repeat(24))),
        ] {
            assert_eq!(generated(stack, logical_id), expected);
        }
    }

    /// The judges of `templates/judges` read this file, since they cannot run Rust.
    #[test]
    fn the_judges_see_this_policy() {
        let documents: serde_json::Map<String, Value> =
            PURPOSES.into_iter().map(|(name, purpose)| (name.to_owned(), document(purpose, &ONE))).collect();
        let current = serde_json::to_string_pretty(&documents).expect("JSON") + "\n";
        let kept = include_str!("../../../templates/judges/deployer-policy.json");
        assert!(kept == current, "templates/judges/deployer-policy.json must now read:\n{current}");
    }
}
