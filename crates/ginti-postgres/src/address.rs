//! `postgres://…`: where the database is, and how the connection to it is protected.

use std::{path::PathBuf, sync::Arc};

use ginti_store::StoreError;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres::{Config, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A parsed address.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) config: Config,
    /// Certificates to trust instead of the system's.
    root_certificates: Option<PathBuf>,
}

impl Address {
    /// The address as libpq writes it; `sslrootcert` names a file of certificates to trust.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let (url, root_certificates) = take_parameter(url, "sslrootcert");
        let config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // The parser's message may repeat what it read; the cause names what is wrong and not the password.
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            StoreError::Failed(format!(
                "the database's address cannot be read ({cause}): write postgres://USER:PASSWORD@HOST/DATABASE"
            ))
        })?;
        Ok(Self { config, root_certificates: root_certificates.map(PathBuf::from) })
    }

    /// Whether the server may be spoken to in the clear: unless the address asks for TLS, that is its choice.
    pub(crate) fn tls(&self) -> Result<Option<MakeRustlsConnect>, StoreError> {
        if self.config.get_ssl_mode() == SslMode::Disable {
            return Ok(None);
        }
        let failed = |what: String| StoreError::Failed(format!("no TLS to PostgreSQL: {what}"));
        let mut roots = RootCertStore::empty();
        match &self.root_certificates {
            Some(path) => {
                let unreadable = |error: rustls::pki_types::pem::Error| {
                    failed(format!("the certificates in {} cannot be read: {error}", path.display()))
                };
                for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                    roots.add(certificate.map_err(unreadable)?).map_err(|error| failed(error.to_string()))?;
                }
            }
            // Some of a system's certificates may be unreadable; the others count.
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Some(MakeRustlsConnect::new(config)))
    }
}

/// The address without that parameter, and the parameter's value.
fn take_parameter(url: &str, name: &str) -> (String, Option<String>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut value = None;
    let rest: Vec<_> = query
        .split('&')
        .filter(|part| match part.split_once('=') {
            Some((key, given)) if key == name => {
                value = Some(given.to_owned());
                false
            }
            _ => true,
        })
        .collect();
    let rest = rest.join("&");
    (if rest.is_empty() { base.to_owned() } else { format!("{base}?{rest}") }, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_name_certificates() {
        let address = Address::parse("postgres://me@db.example/ginti?sslmode=require&sslrootcert=/etc/ca.pem").unwrap();
        assert_eq!(address.root_certificates, Some(PathBuf::from("/etc/ca.pem")));
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(address.config.get_dbname(), Some("ginti"));
    }

    #[test]
    fn a_bad_address_is_a_sentence_without_its_password() {
        let error = Address::parse("postgres://me:secret@db.example:port/ginti").unwrap_err().to_string();
        assert!(error.contains("write postgres://USER:PASSWORD@HOST/DATABASE"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn certificates_that_are_not_there_are_named() {
        let address = Address::parse("postgres://me@db.example/ginti?sslrootcert=/nowhere/ca.pem").unwrap();
        let error = address.tls().map(drop).unwrap_err().to_string();
        assert!(error.contains("/nowhere/ca.pem"), "{error}");
    }
}
