//! A second look at a failed request: what a region or a setting has to do with it.
//!
//! Invariant: asks AWS at most one question more, and returns the failure as it was if that explains nothing.

use aws_config::Region;

use super::settings::is_on;
use super::{Clients, identity};
use crate::core::hint::Hint;
use crate::core::regions;
use crate::core::setting::Setting;
use crate::error::{Error, Exit, Problem};

impl Clients {
    /// The failure with its real cause, if that can be found out.
    pub async fn investigate(&self, error: Error) -> Error {
        match error.problem {
            Some(Problem::UnknownCredentials) => self.not_enabled().await.unwrap_or(error),
            Some(Problem::NoSuchHost) => self.no_such_host().unwrap_or_else(|| self.with_route(error)),
            Some(Problem::Unreachable) => self.with_route(error),
            Some(Problem::Denied | Problem::NotEnabled) | None => error,
        }
    }

    /// A region that the account has not enabled does not know its keys. Then another region does.
    async fn not_enabled(&self) -> Option<Error> {
        let region = &self.region;
        if regions::find(region).is_some_and(|region| !region.is_opt_in()) {
            return None;
        }
        let home = Region::new(regions::home_of(region));
        let elsewhere = aws_sdk_sts::Client::from_conf(self.sts.config().to_builder().region(home.clone()).build());
        let caller = identity::caller(&elsewhere).await.ok()?;
        Some(
            Error::new(format!("region `{region}` is not enabled for account `{}`", caller.account))
                .cause(format!("AWS accepts these credentials in `{home}`, but not there"))
                .hint(
                    Hint::shell(["aws", "account", "enable-region", "--region-name", region])
                        .then(" enables it, which can take some hours"),
                )
                .hint("an organization can forbid it; ask its administrator then"),
        )
    }

    fn no_such_host(&self) -> Option<Error> {
        let region = &self.region;
        let settings = &self.connection.as_ref()?.settings;
        if settings.endpoint.is_some() || !settings.service_endpoints.is_empty() {
            return None;
        }
        let unset = |setting: &Setting, what: &str| {
            Error::new(format!("region `{region}` has no {what} endpoint for this request"))
                .exit(Exit::Usage)
                .cause(format!("{} is `{}`, and there is no host of that name", setting.source, setting.value))
                .hint(
                    "unset it, or use a region that has such endpoints; AWS's documentation of each service lists them",
                )
        };
        let on = |setting: &Option<Setting>| setting.clone().filter(is_on);
        if let Some(setting) = on(&settings.fips) {
            return Some(unset(&setting, "FIPS"));
        }
        if let Some(setting) = on(&settings.dual_stack) {
            return Some(unset(&setting, "dual-stack"));
        }
        if regions::is_known(region) {
            return None;
        }
        let error = Error::new(format!("there is no AWS region `{region}`"))
            .exit(Exit::Usage)
            .cause("this program does not know it, and its CloudFormation has no host name");
        let near = regions::nearest_in_words(region);
        let error = near.into_iter().fold(error, |error, near| error.hint(format!("use {near}")));
        Some(error.hint(Hint::command("regions").then(" lists the regions where the system can run")))
    }

    /// Names the proxy or the endpoint that the request was sent to, and who set it, unless it is AWS's own.
    fn with_route(&self, error: Error) -> Error {
        let Some(settings) = self.connection.as_ref().map(|connection| &connection.settings) else { return error };
        let named = |what: &str, setting: &Setting| {
            format!("the {what} is `{}`, which {} names", setting.value, setting.source)
        };
        let endpoint = settings.endpoint.as_ref();
        let proxy = settings.proxy(endpoint.map_or("https", |endpoint| endpoint.value.as_str()));
        let proxy = proxy.map(|setting| named("proxy", &setting));
        match proxy.or_else(|| endpoint.map(|setting| named("endpoint", setting))) {
            Some(route) => Error { causes: error.causes.last().cloned().into_iter().chain([route]).collect(), ..error },
            None => error,
        }
    }
}
