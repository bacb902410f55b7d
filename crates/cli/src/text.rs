//! Text from elsewhere, made fit for a terminal.

/// The longest piece of text from a provider or a label that is shown.
const LONGEST: usize = 200;

/// `text` on one line and without anything that a terminal would obey: control characters, escape sequences, and
/// characters that reorder the line, become U+FFFD; cut at 200 characters.
pub fn plain(text: &str) -> String {
    let mut letters = text.chars();
    let mut shown: String = letters.by_ref().take(LONGEST).map(|c| if is_obeyed(c) { '\u{FFFD}' } else { c }).collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// JSON in which those characters are written as `\u` escapes. It is the same JSON: outside of strings there are none.
pub fn harmless_json(json: &str) -> String {
    let mut harmless = String::with_capacity(json.len());
    for letter in json.chars() {
        // The line ends of pretty-printing are not inside strings.
        if is_obeyed(letter) && letter != '\n' {
            harmless.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            harmless.push(letter);
        }
    }
    harmless
}

/// Whether a terminal would do something else with it than draw it. All of these are in the basic plane.
fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_reordering_never_reach_the_terminal() {
        for bad in ["\u{1b}[31m", "\u{9b}2J", "\u{7f}", "\r\n", "\u{202E}", "\u{2066}", "\u{200f}", "\u{7}"] {
            let shown = plain(&format!("a{bad}b"));
            assert!(!shown.chars().any(is_obeyed), "{bad:?} became {shown:?}");
            assert!(shown.starts_with('a') && shown.ends_with('b'));
        }
        assert_eq!(plain("Zoë 東京 😀"), "Zoë 東京 😀");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(plain(&"x".repeat(300)).chars().count(), 201);
        assert!(plain(&"x".repeat(300)).ends_with('…'));
        assert_eq!(plain(&"x".repeat(200)).chars().count(), 200);
    }

    #[test]
    fn json_keeps_its_meaning_when_its_controls_are_escaped() -> Result<(), serde_json::Error> {
        let value = serde_json::json!({"name": "a\u{9b}2J\u{202E}b\u{1b}[0m", "n": 1});
        let text = harmless_json(&serde_json::to_string_pretty(&value)?);
        assert!(!text.chars().any(|c| is_obeyed(c) && c != '\n'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text)?, value);
        Ok(())
    }
}
