//! Private keys as people keep them, in PEM, and what verifies their signatures.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
    },
};
use base64ct::{Base64, Encoding};
use jsonwebtoken::DecodingKey;

pub struct ClientKey {
    pub pem: String,
    pub public: DecodingKey,
}

impl ClientKey {
    pub fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        Self { pem: pem("PRIVATE KEY", der.as_ref()), public: DecodingKey::from_rsa_der(pair.public_key().as_ref()) }
    }

    pub fn p256() -> Self {
        Self::elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    pub fn p384() -> Self {
        Self::elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    fn elliptic(curve: &'static EcdsaSigningAlgorithm) -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(curve, document.as_ref()).unwrap();
        Self {
            pem: pem("PRIVATE KEY", document.as_ref()),
            public: DecodingKey::from_ec_der(pair.public_key().as_ref()),
        }
    }

    pub fn ed25519() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        Self {
            pem: pem("PRIVATE KEY", document.as_ref()),
            public: DecodingKey::from_ed_der(pair.public_key().as_ref()),
        }
    }

    /// The middle of the key as it stands in the PEM: what no message and no request may hold.
    pub fn mark(&self) -> &str {
        self.pem.lines().nth(1).unwrap()
    }
}

pub fn pem(tag: &str, der: &[u8]) -> String {
    let text = Base64::encode_string(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {tag}-----\n{}\n-----END {tag}-----\n", lines.join("\n"))
}

/// A certificate that vouches for itself, and its private key, both PEM ([RFC 5280 section
/// 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)).
pub fn certificate_with_key() -> String {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref()).unwrap();
    let certificate = certificate(&pair, &[ID_EC, ID_P256], pair.public_key().as_ref());
    format!("{certificate}{}", pem("PRIVATE KEY", document.as_ref()))
}

const ID_RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ID_EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ID_P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ID_P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const ID_ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const NULL: &[u8] = &[0x05, 0x00];

/// A key of each kind, and the certificate of its public half, which somebody else signed. PEM.
pub fn keys_with_certificates() -> Vec<(&'static str, ClientKey, String)> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
    let authority = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref()).unwrap();
    let pkcs8 = |key: &ClientKey| {
        let body: String = key.pem.lines().filter(|line| !line.starts_with("--")).collect();
        Base64::decode_vec(&body).unwrap()
    };
    let (rsa, p256, p384, ed) = (ClientKey::rsa(), ClientKey::p256(), ClientKey::p384(), ClientKey::ed25519());
    let elliptic =
        |key: &ClientKey, curve| EcdsaKeyPair::from_pkcs8(curve, &pkcs8(key)).unwrap().public_key().as_ref().to_vec();
    let publics = [
        RsaKeyPair::from_pkcs8(&pkcs8(&rsa)).unwrap().public_key().as_ref().to_vec(),
        elliptic(&p256, &ECDSA_P256_SHA256_FIXED_SIGNING),
        elliptic(&p384, &ECDSA_P384_SHA384_FIXED_SIGNING),
        Ed25519KeyPair::from_pkcs8(&pkcs8(&ed)).unwrap().public_key().as_ref().to_vec(),
    ];
    let algorithms: [&[&[u8]]; 4] = [&[ID_RSA, NULL], &[ID_EC, ID_P256], &[ID_EC, ID_P384], &[ID_ED25519]];
    let keys = [("RSA", rsa), ("P-256", p256), ("P-384", p384), ("Ed25519", ed)];
    let made = keys.into_iter().zip(algorithms).zip(publics);
    made.map(|(((name, key), algorithm), public)| (name, key, certificate(&authority, algorithm, &public))).collect()
}

/// The certificate that `authority` signs for a public key, PEM.
fn certificate(authority: &EcdsaKeyPair, algorithm: &[&[u8]], public: &[u8]) -> String {
    let oid = |bytes: &[u8]| der(0x06, &[bytes]);
    let ecdsa_with_sha256 = der(0x30, &[&oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])]);
    let common_name = der(0x30, &[&oid(&[0x55, 0x04, 0x03]), &der(0x0c, &[b"client"])]);
    let name = der(0x30, &[&der(0x31, &[&common_name])]);
    let validity = der(0x30, &[&der(0x17, &[b"200101000000Z"]), &der(0x17, &[b"491231235959Z"])]);
    let public = der(0x30, &[&der(0x30, algorithm), &der(0x03, &[&[0], public])]);
    let (version, serial) = (der(0xa0, &[&der(0x02, &[&[2]])]), der(0x02, &[&[1]]));
    let statement = der(0x30, &[&version, &serial, &ecdsa_with_sha256, &name, &validity, &name, &public]);
    let signature = authority.sign(&SystemRandom::new(), &statement).unwrap();
    let certificate = der(0x30, &[&statement, &ecdsa_with_sha256, &der(0x03, &[&[0], signature.as_ref()])]);
    pem("CERTIFICATE", &certificate)
}

/// One element: its tag, its length, and these parts in a row.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match length {
        [0, short] if short < 0x80 => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [head, content].concat()
}
