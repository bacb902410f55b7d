//! What strangers write, made fit to be shown, logged and kept. RFC 6749 section 5.2 allows printable ASCII only, and servers
//! ignore that in every language.

pub(crate) use holdfast_model::displayable;

/// How much of an error description is worth showing.
pub(crate) const DESCRIPTION_CHARS: usize = 200;

/// A secret shorter than this is no secret, and cutting it out would only garble the text.
const SHORTEST_SECRET: usize = 6;

/// `text` without the secrets that were sent: some servers repeat the request in their error.
pub(crate) fn without(secrets: &[&str], text: &str) -> String {
    secrets
        .iter()
        .filter(|secret| secret.len() >= SHORTEST_SECRET)
        .fold(text.to_owned(), |text, secret| text.replace(secret, "[removed]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sent_secret_that_comes_back_is_cut_out() {
        assert_eq!(without(&["rt-123456", "x"], "token rt-123456 is x-pired"), "token [removed] is x-pired");
    }
}
