//! Writes account files as oidc-agent does. Only the memory that Argon2 takes is less.

use argon2::{Algorithm, Argon2, Params, Version};
use base64ct::{Base64, Encoding as _};
use crypto_secretbox::{KeyInit as _, XSalsa20Poly1305, aead::Aead as _};
use holdfast_engine::ImportOidcAgent;
use holdfast_model::{Passphrase, SecretValue};
use serde_json::{Value, json};

pub const PASSWORD: &str = "amber kettle";

/// The account `work` at `demo` with this refresh token, as version 4 writes it.
pub fn account(refresh_token: &str) -> Value {
    json!({
        "name": "work", "client_name": "oidc-agent:work-host", "issuer_url": "https://demo.example/",
        "device_authorization_endpoint": "", "daeSetByUser": 0, "client_id": "native", "client_secret": "",
        "refresh_token": refresh_token, "cert_path": "/etc/ssl/certs/ca-certificates.crt",
        "scope": "openid offline_access", "audience": "", "redirect_uris": ["http://localhost:4242"],
        "username": "", "password": ""
    })
}

/// The text of a file with this account.
pub fn file(account: &Value) -> String {
    let (nonce, salt) = ([3_u8; 24], [5_u8; 16]);
    let mut derived = [0_u8; 64];
    let params = Params::new(8, 1, 1, Some(64)).expect("parameters");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(PASSWORD.as_bytes(), &salt, &mut derived)
        .expect("a key");
    let cipher = XSalsa20Poly1305::new_from_slice(&derived[..32]).expect("32 bytes");
    let sealed = cipher.encrypt(&nonce.into(), account.to_string().as_bytes()).expect("a ciphertext");
    format!(
        "{}\n{}\n{}\n24:16:16:32:1:1:8192:2\n{}\n{}\nGenerated using version: 4.2.6",
        sealed.len(),
        Base64::encode_string(&nonce),
        Base64::encode_string(&salt),
        Base64::encode_string(&sealed),
        Base64::encode_string(&derived[32..]),
    )
}

/// Asks for an import of this account.
pub fn import(account: &Value) -> ImportOidcAgent {
    ImportOidcAgent {
        text: SecretValue::new(file(account)),
        password: Some(Passphrase::new(PASSWORD.into())),
        label: None,
    }
}
