//! Certificates that no authority of the system gave.

use std::process::Command;

use crate::home::Home;

/// A key and a certificate of this machine that vouches for itself: the paths of two PEM files in the temporary folder of `home`.
///
/// # Panics
/// When openssl does not make them.
pub fn make(home: &Home) -> (String, String) {
    let file = |name: &str| home.beside("tmp").join(name).display().to_string();
    let (key, certificate) = (file("key.pem"), file("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=a test provider", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", &key, "-out", &certificate])
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (key, certificate)
}
