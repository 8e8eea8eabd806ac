//! Where a connection leads, according to the command line, the environment and the AWS configuration, each with its source.
//!
//! Invariant: nothing is sent from here. A setting that cannot work is refused with its name, its value and its source.

mod endpoints;
pub(super) mod environment;
pub(super) mod files;

use aws_runtime::env_config::file::EnvConfigFiles;

use self::environment::Environment;
use self::files::Files;
use crate::core::hint::Hint;
pub(super) use crate::core::setting::Setting;
use crate::core::setting::Source;
use crate::error::{Error, Exit, Result};

/// What the command line says about a connection.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A profile, which then is used alone.
    pub profile: Option<Setting>,
    /// A region.
    pub region: Option<Setting>,
    /// An endpoint for every service.
    pub endpoint: Option<Setting>,
}

/// The names of the profiles in the configuration of this process; none if it cannot be read.
pub async fn profile_names() -> Vec<String> {
    let files = Files::read(&Environment::of_this_process()).await;
    files.map(|files| files.names().into_iter().map(ToOwned::to_owned).collect()).unwrap_or_default()
}

/// Everything that was configured.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) environment: Environment,
    pub(super) files: Files,
    /// The selected profile. Its source is the default if nobody named one.
    pub(super) profile: Setting,
    /// Whether the command line named the profile, so that nothing else may supply credentials.
    pub(super) profile_alone: bool,
    pub(super) region: Option<Setting>,
    /// The endpoint of every service that has none of its own.
    pub(super) endpoint: Option<Setting>,
    pub(super) service_endpoints: Vec<Setting>,
    pub(super) fips: Option<Setting>,
    pub(super) dual_stack: Option<Setting>,
    pub(super) ca_bundle: Option<Setting>,
}

impl Settings {
    /// Reads the environment and the files.
    ///
    /// # Errors
    /// A file is unreadable or malformed, there is no such profile, or a value is impossible.
    pub(super) async fn read(request: &Request) -> Result<Self> {
        let environment = Environment::of_this_process();
        let files = Files::read(&environment).await?;
        Self::of(request, environment, files)
    }

    fn of(request: &Request, environment: Environment, files: Files) -> Result<Self> {
        let profile = selected(request, &environment);
        if profile.source != Source::Default && !files.has(&profile.value) {
            return Err(no_such_profile(&profile, &files));
        }
        let look_up = |name: &str, variables: &[&str], key: &str| {
            let variable = variables.iter().find_map(|variable| Some((variable, environment.get(variable)?)));
            if let Some((variable, value)) = variable {
                return Some(Setting::new(name, value, Source::variable(*variable)));
            }
            let found = files.get(&profile.value, key)?;
            Some(Setting::new(name, found.value, found.source(&profile.value, key)))
        };
        let region =
            request.region.clone().or_else(|| look_up("region", &["AWS_REGION", "AWS_DEFAULT_REGION"], "region"));
        let fips = look_up("FIPS endpoints", &["AWS_USE_FIPS_ENDPOINT"], "use_fips_endpoint");
        let dual_stack = look_up("dual-stack endpoints", &["AWS_USE_DUALSTACK_ENDPOINT"], "use_dualstack_endpoint");
        let ignored = look_up(
            "configured endpoints",
            &["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"],
            "ignore_configured_endpoint_urls",
        );
        for switch in [&fips, &dual_stack, &ignored].into_iter().flatten() {
            check_switch(switch)?;
        }
        let ca_bundle = look_up("CA bundle", &["AWS_CA_BUNDLE"], "ca_bundle");
        let (endpoint, service_endpoints) = match &request.endpoint {
            Some(given) => (Some(given.clone()), Vec::new()),
            None if ignored.as_ref().is_some_and(is_on) => (None, Vec::new()),
            None => {
                let services = endpoints::of_services(&environment, &files, &profile.value);
                (look_up("endpoint URL", &["AWS_ENDPOINT_URL"], "endpoint_url"), services)
            }
        };
        for setting in endpoint.iter().chain(&service_endpoints) {
            endpoints::check(setting)?;
        }
        let host = [&fips, &dual_stack].into_iter().flatten().find(|switch| is_on(switch));
        if let (Some(switch), Some(setting)) = (host, endpoint.iter().chain(&service_endpoints).next()) {
            return Err(contradiction(switch, setting));
        }
        Ok(Self {
            profile_alone: request.profile.is_some(),
            environment,
            files,
            profile,
            region,
            endpoint,
            service_endpoints,
            fips,
            dual_stack,
            ca_bundle,
        })
    }

    /// The AWS configuration as the SDK's loader takes it.
    pub(super) fn files_for_the_sdk(&self) -> EnvConfigFiles {
        self.files.for_the_sdk()
    }

    /// The endpoint of a service that has its own.
    pub(super) fn endpoint_of(&self, service: &str) -> Option<&str> {
        let name = format!(" of {service}");
        self.service_endpoints
            .iter()
            .find(|setting| setting.name.ends_with(&name))
            .map(|setting| setting.value.as_str())
    }

    /// The proxy of requests to a URL; `None` if there may be an exception for its host.
    pub(super) fn proxy(&self, url: &str) -> Option<Setting> {
        if self.environment.get("NO_PROXY").or_else(|| self.environment.get("no_proxy")).is_some() {
            return None;
        }
        let own = if url.starts_with("https") { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
        let variables = own.into_iter().chain(["ALL_PROXY", "all_proxy"]);
        variables.into_iter().find_map(|variable| self.proxy_in(variable))
    }

    fn proxy_in(&self, variable: &str) -> Option<Setting> {
        let value = endpoints::without_password(self.environment.get(variable)?);
        Some(Setting::new("proxy", value, Source::variable(variable)))
    }

    /// Whether no request may use a proxy.
    pub(super) fn no_proxy_at_all(&self) -> bool {
        let exceptions = self.environment.get("NO_PROXY").or_else(|| self.environment.get("no_proxy"));
        exceptions.is_some_and(|hosts| hosts.trim() == "*")
    }

    /// Everything that was set, for people to read.
    pub(super) fn all(&self) -> Vec<Setting> {
        let mut all = vec![self.profile.clone()];
        let given = [&self.region, &self.endpoint, &self.fips, &self.dual_stack, &self.ca_bundle];
        all.extend(given.into_iter().flatten().chain(&self.service_endpoints).cloned());
        for variable in
            ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"]
        {
            all.extend(self.proxy_in(variable));
        }
        for ((path, exists), variable) in
            self.files.paths().into_iter().zip(["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
        {
            let source =
                if self.environment.get(variable).is_some() { Source::variable(variable) } else { Source::Default };
            if exists {
                all.push(Setting::new("AWS configuration", path.display().to_string(), source));
            }
        }
        all
    }
}

/// Whether a switch is on. `check_switch` has refused every other word.
pub(super) fn is_on(switch: &Setting) -> bool {
    switch.value.eq_ignore_ascii_case("true")
}

/// The command line's profile, or that of the environment in botocore's order, or the default one.
fn selected(request: &Request, environment: &Environment) -> Setting {
    let variable =
        |name: &'static str| environment.get(name).map(|value| Setting::new("profile", value, Source::variable(name)));
    (request.profile.clone())
        .or_else(|| variable("AWS_DEFAULT_PROFILE"))
        .or_else(|| variable("AWS_PROFILE"))
        .unwrap_or_else(|| Setting::new("profile", "default", Source::Default))
}

fn no_such_profile(profile: &Setting, files: &Files) -> Error {
    let [config, credentials] = files.paths().map(|(path, _)| path.display().to_string());
    let error = Error::new(format!("there is no profile `{}`, which {} names", profile.value, profile.source))
        .exit(Exit::Usage)
        .cause(format!("neither {config} nor {credentials} has it"));
    let names = files.names();
    if names.is_empty() {
        error.hint(Hint::from("create it with ").then_shell(["aws", "configure", "--profile", &profile.value]))
    } else {
        error.hint(format!("there are `{}`", names.join("`, `")))
    }
}

/// The SDK builds a FIPS or dual-stack host name itself, so no endpoint can be given with it.
fn contradiction(switch: &Setting, endpoint: &Setting) -> Error {
    Error::new(format!("{} and an endpoint exclude each other", switch.name))
        .exit(Exit::Usage)
        .cause(format!("{} is `{}`", switch.source, switch.value))
        .cause(format!("the endpoint is `{}`, which {} names", endpoint.value, endpoint.source))
        .hint("unset one of them")
}

fn check_switch(switch: &Setting) -> Result<()> {
    if ["true", "false"].iter().any(|word| switch.value.eq_ignore_ascii_case(word)) {
        return Ok(());
    }
    Err(Error::new(format!("{} is `{}`, which is neither `true` nor `false`", switch.source, switch.value))
        .exit(Exit::Usage)
        .hint("set it to `true` or `false`, or leave it out"))
}
