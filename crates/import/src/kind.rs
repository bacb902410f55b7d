//! Which of the files that can be imported a text is: by its name, or else by what it begins with.

use crate::oidc_agent;

/// A kind of file that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// An account file of oidc-agent, encrypted or not.
    OidcAgent,
    /// A list of tokens as CSV.
    TokenCsv,
    /// A list of tokens as JSON.
    TokenJson,
    /// A provider file.
    Providers,
}

/// Tells what the text of the file called `name` is; `None` when it is nothing that can be imported. Says only which
/// reader the text belongs to: whether all of it fits, that reader tells.
pub fn kind_of(name: &str, text: &str) -> Option<FileKind> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    let is_object = oidc_agent::is_decrypted(text);
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("toml") => return Some(FileKind::Providers),
        Some("csv") => return Some(FileKind::TokenCsv),
        Some("json") if !is_object => return Some(FileKind::TokenJson),
        _ => {}
    }
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    if is_object || oidc_agent::begins_as_account_file(text) {
        Some(FileKind::OidcAgent)
    } else if first.starts_with("[[")
        || first.strip_prefix("provider").is_some_and(|rest| rest.trim_start().starts_with('='))
    {
        Some(FileKind::Providers)
    } else if first.starts_with('[') {
        Some(FileKind::TokenJson)
    } else {
        let named =
            |wanted| first.split(',').any(|column| column.trim().trim_matches('"').eq_ignore_ascii_case(wanted));
        ["label", "service", "token"].into_iter().all(named).then_some(FileKind::TokenCsv)
    }
}

#[cfg(test)]
mod tests {
    use super::{FileKind as K, kind_of};

    #[test]
    fn a_file_is_told_by_its_name_or_by_what_it_begins_with() {
        for (name, text, kind) in [
            ("work", "512\nLFKmBXNY\n", Some(K::OidcAgent)),
            ("work", "-----BEGIN PGP MESSAGE-----\n\nhQ\n", Some(K::OidcAgent)),
            ("printed.json", " {\"name\":\"work\"}", Some(K::OidcAgent)),
            ("tokens.json", "[]", Some(K::TokenJson)),
            ("tokens.JSON", "nothing of JSON", Some(K::TokenJson)),
            ("tokens", "\u{feff}\n [ {\"label\":\"a\"}]", Some(K::TokenJson)),
            ("tokens.csv", "a,b", Some(K::TokenCsv)),
            ("tokens", "Label, \"service\",token\nwork,github,ghp\n", Some(K::TokenCsv)),
            ("company.toml", "", Some(K::Providers)),
            ("company", "# ours\n\n[[provider]]\nname = \"a\"\n", Some(K::Providers)),
            ("company", "provider = []\n", Some(K::Providers)),
            ("notes.txt", "buy milk\n", None),
            ("passwords", "label,username,password\n", None),
            ("empty", "", None),
            ("comments", "# only\n", None),
        ] {
            assert_eq!(kind_of(name, text), kind, "{name}: {text}");
        }
    }
}
