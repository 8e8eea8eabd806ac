//! The least permissions that an identity needs to deploy, use or remove one stack, as IAM policies.
//!
//! Pure: names in, JSON out. `CloudFormation` acts with its caller's permissions unless it has a service role, so a
//! policy covers what the resources of `templates/stack.yaml` need as well as the calls of this program; the judges
//! beside the template compare it with the permissions that `CloudFormation` publishes for each resource type.
//!
//! A policy is no protection against its own user: whoever may write a role's permissions and pass the role to a
//! function can do whatever a role can do. If that matters, give the deployer a permissions boundary, and require one
//! for the function's role.
//!
//! `sts:GetCallerIdentity` is missing on purpose: it needs no permission.

mod grants;
mod resources;
mod scope;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use grants::{By, GRANTS, Grant};
use resources::On;
pub use scope::{Holder, Scope};

/// What a policy is for. `up`, `backfill`, `data`, `smoke` and `down` suffice by themselves; `adopt` and `attach` are
/// used together with `up`, and so is `backfill` when its resources are deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Purpose {
    /// `up` and `plan`: deploy the system and verify it
    Up,
    /// `up --adopt`, in addition to `up`
    Adopt,
    /// `up --attach` and `up --detach`, in addition to `up`
    Attach,
    /// `backfill`; in addition to `up`, what `Backfill=yes` and `EraseRows=yes` deploy
    Backfill,
    /// Read and erase pictures and rows: `detect`, `status`, `logs`, `faces`, `export`, `forget` and `redrive`
    Data,
    /// `smoke`: verify the deployed system
    Smoke,
    /// `down`: remove the system with its data
    Down,
    /// All of these, one document each
    All,
}

impl Purpose {
    /// The purposes that have a document of their own.
    pub const EACH: [Self; 7] =
        [Self::Up, Self::Adopt, Self::Attach, Self::Backfill, Self::Data, Self::Smoke, Self::Down];

    /// The name on the command line and in the printed object.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Adopt => "adopt",
            Self::Attach => "attach",
            Self::Backfill => "backfill",
            Self::Data => "data",
            Self::Smoke => "smoke",
            Self::Down => "down",
            Self::All => "all",
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Up => grants::UP,
            Self::Adopt => grants::ADOPT,
            Self::Attach => grants::ATTACH,
            Self::Backfill => grants::BACKFILL,
            Self::Data => grants::DATA,
            Self::Smoke => grants::SMOKE,
            Self::Down => grants::DOWN,
            Self::All => u8::MAX,
        }
    }
}

/// The bits of the purposes for which `CloudFormation` changes resources.
const DEPLOYING: u8 = !(grants::DATA | grants::SMOKE);

/// What `provisioner policy` prints: one document, or for [`Purpose::All`] an object of named documents.
///
/// With a service role it is an object of two such values, the deployer's and that role's; documents without a
/// statement are left out.
#[must_use]
pub fn printed(purpose: Purpose, service_role: Option<&str>, scope: &Scope<'_>) -> Value {
    let of = |holder| match purpose {
        Purpose::All => {
            let each = Purpose::EACH.into_iter().map(|each| (each.name().to_owned(), document(holder, each, scope)));
            Some(each.filter(|(_, document)| !is_empty(document)).collect::<Map<_, _>>().into())
        }
        one => Some(document(holder, one, scope)).filter(|document| !is_empty(document)),
    };
    let named = |name: &str, value: Option<Value>| value.map(|value| (name.to_owned(), value));
    match service_role {
        None => of(Holder::Deployer).unwrap_or_default(),
        Some(role) => {
            [named("deployer", of(Holder::DeployerWith(role))), named("service_role", of(Holder::ServiceRole))]
                .into_iter()
                .flatten()
                .collect::<Map<_, _>>()
                .into()
        }
    }
}

/// The policy document for one purpose, short enough for a managed policy.
///
/// With one region, the ARNs name it, and each kind of resource has its statement. With several regions, or if that
/// would be too long, one statement replaces those of all resources with a region in their ARN. If names are so long
/// that this is still too long, the attached buckets and the path of the role are not named, and statements have no id.
#[must_use]
pub fn document(holder: Holder<'_>, purpose: Purpose, scope: &Scope<'_>) -> Value {
    let bits = purpose.bits();
    let plain = of_statements(separate(holder, bits, scope));
    if scope.regions.len() < 2 && length(&plain) <= MANAGED_POLICY {
        return plain;
    }
    let merged = of_statements(Statement::merge(separate(holder, bits, scope), scope));
    if length(&merged) <= MANAGED_POLICY {
        return merged;
    }
    let attached: &[&str] = if scope.attached.is_empty() { &[] } else { &["*"] };
    let scope = Scope { attached, role_path: "/*", ..*scope };
    let mut brief = Statement::merge(separate(holder, bits, &scope), &scope);
    for statement in &mut brief {
        statement.sid = None;
    }
    of_statements(brief)
}

/// The most characters that a managed policy may have; white space does not count.
pub const MANAGED_POLICY: usize = 6_144;

/// The number of characters that IAM counts.
#[must_use]
pub fn length(document: &Value) -> usize {
    document.to_string().len()
}

/// A statement for each kind of resource; resources under the same condition need only one.
fn separate(holder: Holder<'_>, bits: u8, scope: &Scope<'_>) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    for statement in GRANTS.iter().filter_map(|grant| grant.statement(holder, bits, scope)) {
        match statements.iter_mut().find(|other| other.is_about_the_same(&statement)) {
            Some(same) => same.actions.extend(statement.actions),
            None => statements.push(statement),
        }
    }
    statements
}

fn of_statements(statements: Vec<Statement>) -> Value {
    let statements: Vec<Value> = statements.into_iter().map(Statement::json).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The actions and resources of a holder's statements for some purposes together.
#[must_use]
pub fn needs(holder: Holder<'_>, purposes: &[Purpose], scope: &Scope<'_>) -> Vec<(Vec<String>, Vec<String>)> {
    let bits = purposes.iter().fold(0, |bits, purpose| bits | purpose.bits());
    statements(&of_statements(separate(holder, bits, scope)))
}

/// The actions and resources of each statement of a document.
#[must_use]
pub fn statements(document: &Value) -> Vec<(Vec<String>, Vec<String>)> {
    let texts = |value: &Value| match value {
        Value::String(one) => vec![one.clone()],
        many => many.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
    };
    let all = document["Statement"].as_array().into_iter().flatten();
    all.map(|statement| (texts(&statement["Action"]), texts(&statement["Resource"]))).collect()
}

fn is_empty(document: &Value) -> bool {
    document["Statement"].as_array().is_none_or(Vec::is_empty)
}

/// A statement before it is JSON.
struct Statement {
    sid: Option<&'static str>,
    on: On,
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Option<Value>,
}

impl Grant {
    fn statement(&self, holder: Holder<'_>, bits: u8, scope: &Scope<'_>) -> Option<Statement> {
        let is_meant = |purposes: u8, by: By| match holder {
            Holder::Deployer => purposes & bits != 0,
            Holder::DeployerWith(_) => purposes & bits != 0 && by != By::Stack,
            Holder::ServiceRole => purposes & bits & DEPLOYING != 0 && by != By::Program,
        };
        let qualified = |name: &&str| match self.service {
            "" => (*name).to_owned(),
            service => format!("{service}:{name}"),
        };
        let groups = self.actions.iter().filter(|(purposes, by, _)| is_meant(*purposes, *by));
        let actions: Vec<String> = groups.flat_map(|(_, _, names)| names.iter().map(qualified)).collect();
        let resources = self.on.arns(holder, bits & grants::ATTACH != 0, scope);
        let is_empty = actions.is_empty() || resources.is_empty();
        (!is_empty).then(|| Statement {
            sid: Some(self.sid),
            on: self.on,
            actions,
            resources,
            condition: self.on.condition(scope),
        })
    }
}

impl Statement {
    fn is_about_the_same(&self, other: &Self) -> bool {
        self.resources == other.resources && self.condition == other.condition
    }

    /// Replaces the statements about regional resources by one: an action only ever meets resources of its own kind.
    fn merge(statements: Vec<Self>, scope: &Scope<'_>) -> Vec<Self> {
        let (regional, mut merged): (Vec<_>, Vec<_>) =
            statements.into_iter().partition(|statement| statement.on.is_regional());
        let on = On::Regional;
        let (mut actions, mut resources) = (Vec::new(), Vec::new());
        for statement in regional {
            actions.extend(statement.actions);
            resources.extend(statement.resources);
        }
        resources.sort_unstable();
        resources.dedup();
        if !actions.is_empty() {
            merged.insert(0, Self { sid: Some("Regional"), on, actions, resources, condition: on.condition(scope) });
        }
        merged
    }

    fn json(mut self) -> Value {
        self.actions.sort_unstable();
        self.actions.dedup();
        // IAM takes one string as well as a list, and counts characters.
        let resource = match self.resources.as_slice() {
            [one] => json!(one),
            many => json!(many),
        };
        let mut statement = Map::new();
        statement.extend(self.sid.map(|sid| ("Sid".to_owned(), json!(sid))));
        statement.insert("Effect".into(), json!("Allow"));
        statement.insert("Action".into(), json!(self.actions));
        statement.insert("Resource".into(), resource);
        if let Some(condition) = self.condition {
            statement.insert("Condition".into(), condition);
        }
        statement.into()
    }
}
