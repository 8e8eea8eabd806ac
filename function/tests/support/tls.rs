//! The server's TLS configuration, with the certificate in `tests/fixtures`.
//!
//! Invariant: client and server use the same TLS provider, the one that the function is built with.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The CA bundle with the root that signed the server's certificate.
pub(crate) fn bundle() -> PathBuf {
    fixture("ca.pem")
}

pub(crate) fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(fixture("server.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(fixture("server.key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect()
}

#[cfg(feature = "tls-graviola")]
fn provider() -> CryptoProvider {
    rustls_graviola::default_provider()
}

#[cfg(not(feature = "tls-graviola"))]
fn provider() -> CryptoProvider {
    tokio_rustls::rustls::crypto::ring::default_provider()
}
