//! The table `[network]` of `config.toml`: by which way requests leave, and whom they believe besides the system's authorities.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Deserialize;

use crate::ordinary_file::read_pieces;

/// The table as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// PEM files with certificate authorities that are believed besides those of the system. A relative path begins in the
    /// folder of `config.toml`.
    pub ca_files: Vec<PathBuf>,
    /// `environment` (its variables `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`), `none`, or an http or https address without a user and
    /// password.
    pub proxy: String,
    /// Hosts (`id.example`) and domains with all below them (`.corp.example`) that are reached without a proxy.
    pub no_proxy: Vec<String>,
}

impl Default for Network {
    fn default() -> Self {
        Self { ca_files: Vec::new(), proxy: "environment".to_owned(), no_proxy: Vec::new() }
    }
}

impl Network {
    /// For the client of the providers. The files are read now and not again; `config` is where the table stands.
    ///
    /// # Errors
    /// When a file cannot be read or holds anything but certificates, or the proxy or a host is none.
    pub fn open(&self, config: &Path) -> anyhow::Result<holdfast_oauth::Network> {
        let whose = || format!("{}: [network]", config.display());
        let mut network = holdfast_oauth::Network::default();
        network.set_proxy(&self.proxy).with_context(whose)?;
        network.set_no_proxy(self.no_proxy.iter().map(String::as_str)).with_context(whose)?;
        let folder = config.parent().unwrap_or(Path::new(""));
        for file in &self.ca_files {
            let file = folder.join(file);
            let named = || format!("{}: {} in ca_files", whose(), file.display());
            let mut pem = Vec::new();
            read_pieces(&file, &mut pem).with_context(|| format!("{} cannot be read", named()))?;
            network.trust(&pem).map_err(|error| anyhow!("{} {error}", named()))?;
        }
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use crate::config::Config;

    /// That of RFC 8705 appendix A.
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
";

    /// What comes of this table in a folder with good and bad files.
    fn opened(table: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("ca")).expect("a folder");
        for (name, text) in [
            ("ca/own.pem", CERTIFICATE.to_owned()),
            ("both.pem", format!("{CERTIFICATE}-----BEGIN PRIVATE KEY-----\nMARK\n")),
            ("csr.pem", "-----BEGIN CERTIFICATE REQUEST-----\nMARK\n-----END CERTIFICATE REQUEST-----\n".to_owned()),
            ("der.pem", "\u{0}MARK".to_owned()),
            ("cut.pem", CERTIFICATE[..200].to_owned()),
        ] {
            std::fs::write(at(name), text).expect("write");
        }
        mknodat(CWD, at("fifo.pem"), FileType::Fifo, Mode::RUSR, 0).expect("a FIFO");
        let path = at("config.toml");
        std::fs::write(&path, format!("[network]\n{table}\n")).expect("write");
        let opened = Config::read(&path).and_then(|config| config.network.open(&path));
        opened.map(drop).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn good_settings_are_taken_and_a_file_lies_beside_config_toml_or_where_its_whole_path_says() {
        for table in [
            "",
            "ca_files = [\"ca/own.pem\", \"./ca/own.pem\"]",
            "proxy = \"none\"",
            "proxy = \"http://proxy.example:3128\"\nno_proxy = [\"id.example\", \".corp.example\"]",
        ] {
            assert_eq!(opened(table), Ok(()), "{table}");
        }
        let elsewhere = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(elsewhere.path(), CERTIFICATE).expect("write");
        assert_eq!(opened(&format!("ca_files = [{:?}]", elsewhere.path())), Ok(()));
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_reason_in_one_line_and_never_quoted() {
        for (table, said) in [
            ("ca_files = [\"none.pem\"]", "none.pem in ca_files cannot be read: No such file"),
            ("ca_files = [\"fifo.pem\"]", "fifo.pem in ca_files cannot be read: it is no ordinary file"),
            ("ca_files = [\"ca\"]", "ca in ca_files cannot be read: it is a folder"),
            ("ca_files = [\"/dev/zero\"]", "/dev/zero in ca_files cannot be read: it is no ordinary file"),
            ("ca_files = [\"ca/own.pem\", \"both.pem\"]", "both.pem in ca_files holds a private key"),
            ("ca_files = [\"csr.pem\"]", "csr.pem in ca_files holds no certificate"),
            ("ca_files = [\"der.pem\"]", "der.pem in ca_files is no PEM file"),
            (
                "ca_files = [\"cut.pem\"]",
                "cut.pem in ca_files holds something as its certificate number 1 that is none",
            ),
            ("ca_file = [\"ca/own.pem\"]", "ca_file"),
            ("proxy = \"http://ann:MARK@proxy.example\"", "HTTPS_PROXY"),
            ("proxy = \"http://ann:MARK@proxy.example", "line 2"),
            ("proxy = [\"http://ann:MARK@proxy.example\"]", "line 2"),
            ("no_proxy = \"http://ann:MARK@proxy.example\"", "line 2"),
            ("ca_files = \"http://ann:\\\"MARK@proxy.example\"", "line 2"),
            ("proxy = \"socks5://proxy.example\"", "no http or https address"),
            ("no_proxy = [\"id.example\", \"*\"]", "entry 2 of no_proxy"),
        ] {
            let error = opened(table).expect_err(table);
            assert!(error.contains(said) && error.contains("config.toml"), "{table}: {error}");
            assert!(!error.contains("MARK") && !error.contains('\n'), "{table}: {error}");
        }
    }
}
