//! What strangers write, made fit to be shown, logged and kept.

/// How much of an error description is worth showing.
pub(crate) const DESCRIPTION_CHARS: usize = 200;

/// A secret shorter than this is no secret, and cutting it out would only garble the text.
const SHORTEST_SECRET: usize = 6;

/// `text` with control, line-breaking and direction-changing characters replaced by U+FFFD, cut at `max_chars`.
///
/// RFC 6749 section 5.2 allows printable ASCII only, and servers ignore that in every language; what must not pass is
/// what moves a terminal's cursor or lets one text pose as another.
pub(crate) fn displayable(text: &str, max_chars: usize) -> String {
    let mut shown: String =
        text.chars().take(max_chars).map(|c| if is_unfit(c) { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(max_chars).is_some() {
        shown.push('…');
    }
    shown
}

fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

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
    fn control_and_direction_characters_are_replaced_and_long_text_is_cut() {
        assert_eq!(displayable("a\u{1b}[2Jb\u{202e}c\nd", 200), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
        assert_eq!(displayable("Ünïcode 語 stays", 200), "Ünïcode 語 stays");
        assert_eq!(displayable("abcdef", 3), "abc…");
        assert_eq!(displayable("abc", 3), "abc");
    }

    #[test]
    fn a_sent_secret_that_comes_back_is_cut_out() {
        assert_eq!(without(&["rt-123456", "x"], "token rt-123456 is x-pired"), "token [removed] is x-pired");
    }
}
