//! By which way requests leave this computer, and whom they believe besides the authorities of the system.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use url::{Host, Url};

/// What is set for the way to providers. None of it is secret.
#[derive(Clone, Debug, Default)]
pub struct Network {
    authorities: Vec<reqwest::Certificate>,
    proxy: Proxy,
    no_proxy: Vec<Bypass>,
}

/// Who carries requests to the world. Those to this computer itself go by no proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// What the variables of the environment name (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`).
    #[default]
    Environment,
    /// Nobody.
    None,
    /// This one, by CONNECT ([RFC 9110 section 9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)).
    At(Url),
}

/// Where no proxy is used.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bypass {
    /// This host alone.
    Host(Host),
    /// This domain and all below it.
    Domain(String),
}

/// What cannot be used as a file of authorities, said so that it fits after its name. Nothing of its text is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// There is nothing between PEM marks in it.
    #[error("is no PEM file; convert it first (openssl x509 -inform der -in FILE -out FILE.pem)")]
    NoPem,
    /// It is PEM without a certificate.
    #[error("holds no certificate; name a file with \"BEGIN CERTIFICATE\" in it")]
    NoCertificate,
    /// Whoever made it put the authority's own key there, or that of a server.
    #[error("holds a private key, which belongs to nobody here; name a file with the certificate alone")]
    PrivateKey,
    /// The certificate at this place in the file, from 1.
    #[error("holds something as its certificate number {0} that is none; get the file anew")]
    Broken(usize),
}

/// What cannot be used as a proxy, or in the place of a host. The text is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It is none of the two words and no web address.
    #[error("proxy is neither \"environment\" nor \"none\" nor an address like http://proxy.example:3128")]
    NoAddress,
    /// SOCKS, say.
    #[error("proxy is no http or https address, and Holdfast speaks with no other proxies")]
    Scheme,
    /// The address is more than scheme, host and port.
    #[error("proxy has something after its host and port; leave that out")]
    MoreThanAHost,
    /// A file that others may read is no place for it.
    #[error(
        "proxy has a user name or a password in it, and config.toml is no place for these; take them out. A proxy that wants \
         them is named with them in the agent's environment (HTTPS_PROXY), with proxy = \"environment\" here"
    )]
    Credentials,
    /// An entry of `no_proxy`, counted from 1.
    #[error("entry {0} of no_proxy is neither a host (id.example, 192.0.2.7) nor a domain (.corp.example)")]
    NoHost(usize),
}

const PRIVATE_KEY: &[u8] = b"PRIVATE KEY-----";
const CERTIFICATE: &[u8] = b"CERTIFICATE-----";
const MARK: &[u8] = b"-----BEGIN ";

impl Network {
    /// Believes the authorities in `pem` as well. Never instead: those of the system count on.
    ///
    /// # Errors
    /// When any of it is no certificate, or it holds none; then nothing of it is believed.
    pub fn trust(&mut self, pem: &[u8]) -> Result<(), AuthoritiesError> {
        let has = |words: &[u8]| pem.windows(words.len()).any(|window| window == words);
        if has(PRIVATE_KEY) {
            return Err(AuthoritiesError::PrivateKey);
        }
        if !has(CERTIFICATE) {
            return Err(if has(MARK) { AuthoritiesError::NoCertificate } else { AuthoritiesError::NoPem });
        }
        let mut found = Vec::new();
        // The TLS library's own reading: what it would not take then must not pass now.
        let mut store = RootCertStore::empty();
        for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let broken = AuthoritiesError::Broken(index + 1);
            let Ok(certificate) = certificate else { return Err(broken) };
            let (Ok(kept), Ok(())) =
                (reqwest::Certificate::from_der(&certificate), store.add(certificate.into_owned()))
            else {
                return Err(broken);
            };
            found.push(kept);
        }
        if found.is_empty() {
            return Err(AuthoritiesError::NoCertificate);
        }
        self.authorities.append(&mut found);
        Ok(())
    }

    /// Sets who carries the requests: `environment`, `none`, or an http or https address without a user and password.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn set_proxy(&mut self, text: &str) -> Result<(), ProxyError> {
        self.proxy = match text {
            "environment" => Proxy::Environment,
            "none" => Proxy::None,
            address => Proxy::At(proxy_address(address)?),
        };
        Ok(())
    }

    /// Sets for which hosts no proxy is used, whoever named it: `id.example` is that host alone, `.corp.example` that domain and all
    /// below it.
    ///
    /// # Errors
    /// When one of them is neither.
    pub fn set_no_proxy<'a>(&mut self, hosts: impl IntoIterator<Item = &'a str>) -> Result<(), ProxyError> {
        let read = |(index, text)| bypass(text).ok_or(ProxyError::NoHost(index + 1));
        self.no_proxy = hosts.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(())
    }

    pub(crate) fn authorities(&self) -> impl Iterator<Item = reqwest::Certificate> {
        self.authorities.iter().cloned()
    }

    pub(crate) const fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Whether there are hosts at all that no proxy is used for.
    pub(crate) const fn has_bypasses(&self) -> bool {
        !self.no_proxy.is_empty()
    }

    /// Whether no proxy is used for the host of `url`.
    pub(crate) fn bypasses(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let host = without_final_dot(host.to_owned());
        self.no_proxy.iter().any(|bypass| match (bypass, &host) {
            (Bypass::Host(known), host) => known == host,
            (Bypass::Domain(domain), Host::Domain(name)) => {
                name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Bypass::Domain(_), _) => false,
        })
    }
}

fn proxy_address(text: &str) -> Result<Url, ProxyError> {
    // Before all else: whatever is wrong besides, what matters is that a password stands there.
    if text.contains('@') {
        return Err(ProxyError::Credentials);
    }
    let url = Url::parse(text).map_err(|_| ProxyError::NoAddress)?;
    if !matches!(url.scheme(), "http" | "https") {
        // `proxy.example:3128` reads as a scheme and what follows it.
        return Err(if text.contains("://") { ProxyError::Scheme } else { ProxyError::NoAddress });
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(ProxyError::MoreThanAHost);
    }
    Ok(url)
}

fn bypass(text: &str) -> Option<Bypass> {
    // The parser of hosts takes a few signs that no name has.
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if let Some(domain) = text.strip_prefix('.') {
        return match without_final_dot(Host::parse(domain).ok()?) {
            Host::Domain(name) if is_name(&name) => Some(Bypass::Domain(name)),
            _ => None,
        };
    }
    // An address of version 6 stands in brackets in an URL, and without them nearly everywhere else.
    let host = text.parse().map(Host::Ipv6).or_else(|_| Host::parse(text)).ok()?;
    match without_final_dot(host) {
        Host::Domain(name) if !is_name(&name) => None,
        host => Some(Bypass::Host(host)),
    }
}

/// `id.example.` is the host `id.example`.
fn without_final_dot<S: AsRef<str>>(host: Host<S>) -> Host {
    match host {
        Host::Domain(name) => {
            let name = name.as_ref();
            Host::Domain(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
        }
        Host::Ipv4(ip) => Host::Ipv4(ip),
        Host::Ipv6(ip) => Host::Ipv6(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem()
    }

    #[test]
    fn authorities_are_believed_all_or_none_and_what_is_none_is_told_apart() {
        use AuthoritiesError as E;
        let mut network = Network::default();
        let (one, other) = (authority(), authority());
        network.trust(format!("Our authority\n{one}\nand the one before \u{e9}\n{other}").as_bytes()).unwrap();
        assert_eq!(network.authorities().count(), 2);
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let cut = one.replacen("-----END", "-----AND", 1);
        for (text, error) in [
            (String::new(), E::NoPem),
            ("0\u{82}\u{1}".to_owned(), E::NoPem),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned(), E::NoCertificate),
            (
                "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n".to_owned(),
                E::NoCertificate,
            ),
            (format!("{one}{key}"), E::PrivateKey),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\n".to_owned(), E::PrivateKey),
            (format!("{one}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), E::Broken(2)),
            ("-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n".to_owned(), E::Broken(1)),
            (cut, E::Broken(1)),
        ] {
            assert_eq!(network.trust(text.as_bytes()), Err(error), "{text}");
            assert_eq!(network.authorities().count(), 2, "{text}");
        }
    }

    #[test]
    fn a_proxy_is_a_word_or_an_address_without_a_password() {
        use ProxyError as E;
        let mut network = Network::default();
        for (text, proxy) in [
            ("none", Proxy::None),
            ("environment", Proxy::Environment),
            ("http://proxy.example:3128", Proxy::At("http://proxy.example:3128/".parse().unwrap())),
            ("https://[2001:db8::7]/", Proxy::At("https://[2001:db8::7]/".parse().unwrap())),
        ] {
            network.set_proxy(text).unwrap();
            assert_eq!(*network.proxy(), proxy);
        }
        for (text, error) in [
            ("", E::NoAddress),
            ("None", E::NoAddress),
            ("proxy.example:3128", E::NoAddress),
            ("http://", E::NoAddress),
            ("socks5://proxy.example", E::Scheme),
            ("http://proxy.example/path", E::MoreThanAHost),
            ("http://proxy.example?a=b", E::MoreThanAHost),
            ("http://ann:MARK@proxy.example", E::Credentials),
            ("http://ann@proxy.example", E::Credentials),
            ("ann:MARK@proxy.example:3128", E::Credentials),
        ] {
            let said = network.set_proxy(text).unwrap_err();
            assert_eq!(said, error, "{text}");
            assert!(!said.to_string().contains("MARK"));
        }
    }

    #[test]
    fn a_host_is_that_host_alone_and_a_domain_all_below_it() {
        let mut network = Network::default();
        network.set_no_proxy(["id.example", ".corp.example", "192.0.2.7", "2001:db8::7", "[::8]"]).unwrap();
        let bypasses = |host: &str| network.bypasses(&format!("https://{host}/x").parse().unwrap());
        for host in [
            "id.example",
            "ID.example:8443",
            "id.example.",
            "corp.example",
            "a.corp.example",
            "b.a.corp.example.",
            "192.0.2.7",
            "[2001:db8::7]:1",
            "[::8]",
        ] {
            assert!(bypasses(host), "{host}");
        }
        for host in ["example", "a.id.example", "id.example.org", "notcorp.example", "192.0.2.70", "[2001:db8::8]"] {
            assert!(!bypasses(host), "{host}");
        }
        for (index, wrong) in ["*", "", ".", "id.example:443", "https://id.example", "10.0.0.0/8", "*.example", "a b"]
            .into_iter()
            .enumerate()
        {
            let all = std::iter::repeat_n("id.example", index).chain([wrong]);
            assert_eq!(network.set_no_proxy(all), Err(ProxyError::NoHost(index + 1)), "{wrong}");
        }
    }
}
