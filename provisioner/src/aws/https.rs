//! The HTTPS client that all services share: which certificates it trusts, its time-outs, and its proxy.
//!
//! Invariant: every certificate is parsed before it reaches the SDK, which panics at the first request if one is not a certificate.

use std::path::Path;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use base64_simd::STANDARD as BASE64;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::settings::{Setting, Settings};
use super::unanswered::{Tell, telling};
use crate::core::event::{Bundle, Certificates};
use crate::core::hint::Hint;
use crate::error::{Error, Exit, Result};
use crate::file;

/// An HTTPS client and what it trusts.
#[derive(Clone, Debug)]
pub(super) struct Https {
    pub(super) client: SharedHttpClient,
    pub(super) trusted: Certificates,
}

/// Makes the client. It trusts the system's certificates and those in the user's bundle, or Mozilla's if there are neither.
///
/// # Errors
/// The bundle cannot be read, or holds no certificate.
pub(super) fn https(settings: &Settings, tell: Tell) -> Result<Https> {
    let mut certificates = rustls_native_certs::load_native_certs().certs;
    certificates.retain(is_usable);
    let mut trusted = Certificates { system: certificates.len(), bundle: None, mozilla: 0 };
    if let Some(setting) = &settings.ca_bundle {
        let own = read_bundle(setting)?;
        trusted.bundle = Some(Bundle { file: setting.value.clone(), count: own.len() });
        certificates.extend(own);
    }
    if certificates.is_empty() {
        certificates.extend_from_slice(webpki_root_certs::TLS_SERVER_ROOT_CERTS);
        trusted.mozilla = certificates.len();
    }
    let roots = TrustStore::empty().with_pem_certificate(pem(&certificates));
    let tls = TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .map_err(|error| Error::new("cannot set up TLS").because(&error))?;
    // The SDK applies `*` to host names, but not to addresses.
    let proxy = if settings.no_proxy_at_all() { ProxyConfig::disabled() } else { ProxyConfig::from_env() };
    let client = Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls.clone()).build()
    });
    Ok(Https { client: telling(client, tell), trusted })
}

/// A client for plain HTTP that asks no proxy: all that the local cloud needs.
pub(super) fn plain(tell: Tell) -> SharedHttpClient {
    telling(Builder::new().build_http(), tell)
}

/// A hung connection is noticed; a large upload (30 MB at most) is not cut off.
pub(super) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).read_timeout(Duration::from_mins(1)).build()
}

fn read_bundle(setting: &Setting) -> Result<Vec<CertificateDer<'static>>> {
    let path = &setting.value;
    let failed = |what: String| {
        Error::new(what).exit(Exit::Usage).hint(format!(
            "{} must name a file of certificates in PEM format; unset it to trust the system's certificates alone",
            setting.source
        ))
    };
    let bytes = file::read_small(Path::new(path))
        .map_err(|error| failed(format!("cannot read the certificates in `{path}`")).because(&error))?;
    // A certificate that TLS cannot use, for example of an old version, is left out, as OpenSSL does.
    let certificates = CertificateDer::pem_slice_iter(&bytes).filter_map(std::result::Result::ok);
    let usable: Vec<_> = certificates.filter(is_usable).collect();
    if !usable.is_empty() {
        return Ok(usable);
    }
    if is_usable(&CertificateDer::from(bytes.clone())) {
        let convert = ["openssl", "x509", "-inform", "der", "-in", path, "-out", "FILE.pem"];
        return Err(failed(format!("`{path}` holds a certificate in DER format"))
            .hint(Hint::shell(convert).then(" converts it")));
    }
    Err(failed(format!("`{path}` holds no certificate: {}", looks_like(&bytes))))
}

/// What a file seems to be that should have been a bundle of certificates.
fn looks_like(bytes: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).trim_start().to_ascii_lowercase();
    if bytes.is_empty() {
        "it is empty"
    } else if text.starts_with("<!doctype html") || text.starts_with("<html") {
        "it is a web page"
    } else if text.contains("-----begin certificate-----") {
        "its certificates are damaged"
    } else {
        "it is not in PEM format"
    }
}

/// Whether the SDK's client accepts a certificate as a root; it panics if not.
fn is_usable(certificate: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(certificate.clone()).is_ok()
}

/// The SDK takes certificates in PEM format only.
fn pem(certificates: &[CertificateDer<'_>]) -> String {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        text.push_str(&BASE64.encode_to_string(certificate));
        text.push_str("\n-----END CERTIFICATE-----\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::invocation::Invocation;
    use crate::core::setting::Source;

    fn bundle(name: &str, bytes: &[u8]) -> Result<usize> {
        let path = std::env::temp_dir().join(format!("provisioner-bundle-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).expect("a file");
        let setting = Setting::new("CA bundle", path.to_string_lossy(), Source::variable("AWS_CA_BUNDLE"));
        let answer = read_bundle(&setting).map(|certificates| certificates.len());
        std::fs::remove_file(path).expect("the file is there");
        answer
    }

    #[test]
    fn bundles() {
        let certificate = &webpki_root_certs::TLS_SERVER_ROOT_CERTS[0];
        let good = pem(std::slice::from_ref(certificate));
        let damaged = good.replacen("MII", "AAA", 1);
        for (name, bytes, expected) in [
            ("one", good.as_bytes(), Ok(1)),
            ("words-around", format!("my CA\n{good}\nthe end").as_bytes(), Ok(1)),
            ("one-damaged", format!("{damaged}{good}").as_bytes(), Ok(1)),
            ("damaged", damaged.as_bytes(), Err("its certificates are damaged")),
            ("empty", b"", Err("it is empty")),
            ("der", certificate, Err("in DER format")),
            ("html", b"\n<!DOCTYPE html><title>Log in</title>", Err("it is a web page")),
            ("garbage", &[0xff, 0, 7, 200], Err("it is not in PEM format")),
            ("words", b"-----BEGIN CERTIFICATE", Err("it is not in PEM format")),
        ] {
            match (bundle(name, bytes), expected) {
                (Ok(count), Ok(expected)) => assert_eq!(count, expected, "{name}"),
                (Err(error), Err(words)) => {
                    assert_eq!(error.exit, Exit::Usage, "{name}");
                    assert!(error.message.contains(words), "{name}: {error}");
                    let hint = error.hints[0].complete(&Invocation::default());
                    assert!(hint.contains("AWS_CA_BUNDLE"), "{name}: {hint}");
                }
                (answer, _) => panic!("{name}: {answer:?}"),
            }
        }
    }

    #[test]
    fn mozillas_certificates_are_all_usable() {
        assert!(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().all(is_usable));
    }
}
