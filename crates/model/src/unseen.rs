//! Characters that nobody sees, or that turn, join or break what stands beside them: with them one text passes for another,
//! and a terminal obeys some of them.

/// Whether it is one of those of `unseen.txt`: control characters, what Unicode calls ignorable, and what it takes for an order
/// to the display. Joiners and variation selectors are none: Persian and emoji are written with them.
pub const fn is_unseen(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}'
        | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}')
}

/// What strangers write, made fit to be shown, logged and kept: one line, cut at `max_chars`, with U+FFFD in the place of each
/// character that nobody sees.
pub fn displayable(text: &str, max_chars: usize) -> String {
    let mut shown: String =
        text.chars().take(max_chars).map(|c| if is_unseen(c) { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(max_chars).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;

    fn table() -> Vec<RangeInclusive<u32>> {
        let lines = include_str!("unseen.txt").lines().filter(|line| !line.starts_with('#'));
        let ranges = lines.map(|line| {
            let range = line.split_whitespace().next().expect("a range");
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let point = |hex| u32::from_str_radix(hex, 16).expect("hexadecimal");
            point(first)..=point(last)
        });
        ranges.collect()
    }

    #[test]
    fn the_table_says_of_every_character_whether_it_is_unseen() {
        let table = table();
        for c in '\0'..=char::MAX {
            assert_eq!(is_unseen(c), table.iter().any(|range| range.contains(&u32::from(c))), "{c:?}");
        }
        assert!(('\0'..=char::MAX).filter(|c| c.is_control()).all(is_unseen));
    }

    #[test]
    fn what_turns_or_breaks_the_line_is_replaced_and_long_text_is_cut() {
        assert_eq!(displayable("a\u{1b}[2Jb\u{202e}c\nd\u{2028}", 200), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}");
        for stays in ["Ünïcode 語\u{3000}stays", "می\u{200c}خواهم", "❤\u{fe0f}"] {
            assert_eq!(displayable(stays, 200), stays);
        }
        assert_eq!(displayable("abcdef", 3), "abc…");
        assert_eq!(displayable("abc", 3), "abc");
    }
}
