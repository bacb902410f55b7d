//! Redirect URIs of Holdfast's own scheme ([RFC 8252 section 7.1](https://www.rfc-editor.org/rfc/rfc8252#section-7.1)): the
//! system hands such an address to the desktop, and no port is needed for it.

/// The scheme: the desktop's identifier, a name of ours in reverse. The desktop registers it.
pub const OWN_SCHEME: &str = "app.holdfast.desktop";

/// The longest of them, in bytes: providers take no longer ones as a rule.
const LONGEST: usize = 512;

/// Whether this is a redirect URI of that scheme, as it is registered: a path behind one slash, because there is no host to
/// name, without a query, because the answer has one.
pub fn is_own_redirect_uri(uri: &str) -> bool {
    let path = uri.strip_prefix(OWN_SCHEME).and_then(|rest| rest.strip_prefix(":/"));
    let is_plain = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
        // A browser takes these out, and no answer would fit any more.
        !part.is_empty() && part != "." && part != ".." && part.chars().all(allowed)
    };
    uri.len() <= LONGEST && path.is_some_and(|path| path.split('/').all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_behind_one_slash_is_a_redirect_uri_of_ours_and_nothing_else() {
        for uri in ["app.holdfast.desktop:/callback", "app.holdfast.desktop:/callback/northwind-1.a_b~c"] {
            assert!(is_own_redirect_uri(uri), "{uri}");
        }
        for uri in [
            "app.holdfast.desktop:",
            "app.holdfast.desktop:/",
            "app.holdfast.desktop://callback",
            "app.holdfast.desktop:///callback",
            "app.holdfast.desktop:callback",
            "App.Holdfast.Desktop:/callback",
            "app.holdfast.desktop.evil:/callback",
            "app.holdfast.desktop:/callback?a=b",
            "app.holdfast.desktop:/callback#a",
            "app.holdfast.desktop:/callback/",
            "app.holdfast.desktop:/a/../callback",
            "app.holdfast.desktop:/call%20back",
            "app.holdfast.desktop:/callback\u{1b}",
            "holdfast:/callback",
            "https://app.holdfast.desktop/callback",
            "",
        ] {
            assert!(!is_own_redirect_uri(uri), "{uri}");
        }
        assert!(!is_own_redirect_uri(&format!("app.holdfast.desktop:/{}", "a".repeat(600))));
    }
}
