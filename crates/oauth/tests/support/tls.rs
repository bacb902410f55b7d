//! Certificate authorities of our own, the certificates that they give, and servers that show and demand them.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig, SupportedProtocolVersion,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
        version::{TLS12, TLS13},
    },
};

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut about = CertificateParams::new(Vec::new()).unwrap();
        about.distinguished_name.push(DnType::CommonName, name);
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(about, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a client, and its private key, both PEM.
    pub fn client(&self, name: &str) -> String {
        let key = KeyPair::generate().unwrap();
        format!("{}{}", of_client(name).signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

/// A client's certificate that vouches for itself, and its private key, both PEM.
pub fn self_signed_client(name: &str) -> String {
    let key = KeyPair::generate().unwrap();
    format!("{}{}", of_client(name).self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn of_client(name: &str) -> CertificateParams {
    let mut about = CertificateParams::new(Vec::new()).unwrap();
    about.distinguished_name.push(DnType::CommonName, name);
    about.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    about
}

/// The first certificate in a PEM, as it stands on the wire.
pub fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

/// What a server shows and demands.
pub struct Server<'a> {
    authority: &'a Authority,
    about: CertificateParams,
    versions: Vec<&'static SupportedProtocolVersion>,
    clients: Option<Arc<RootCertStore>>,
}

impl<'a> Server<'a> {
    /// With a good certificate for this host.
    pub fn new(authority: &'a Authority, host: &str) -> Self {
        let mut about = CertificateParams::new([host.to_owned()]).unwrap();
        about.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Self { authority, about, versions: vec![&TLS13, &TLS12], clients: None }
    }

    /// With one for these years only.
    pub fn valid(mut self, from: i32, to: i32) -> Self {
        (self.about.not_before, self.about.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        self
    }

    pub fn with_tls_1_2_only(mut self) -> Self {
        self.versions = vec![&TLS12];
        self
    }

    /// Lets nobody in but clients with a certificate of this authority, or with this very one.
    pub fn for_clients_of(mut self, pem: &str) -> Self {
        let mut known = RootCertStore::empty();
        known.add(der(pem).into()).unwrap();
        self.clients = Some(Arc::new(known));
        self
    }

    pub fn acceptor(self) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = self.about.signed_by(&key, &self.authority.0).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&self.versions).unwrap();
        let builder = match self.clients {
            Some(known) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(known, provider).build().unwrap(),
            ),
            None => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap()))
    }
}
