//! What the fuzz targets share.

/// Nothing that is told to people is longer than this, whatever a stranger wrote.
const LONGEST: usize = 4_000;

/// Asserts that a sentence can be shown in a terminal and a log as it is: one line, nothing that is obeyed, not endless.
///
/// # Panics
/// When it cannot: that is a finding.
pub fn assert_fit_for_people(sentence: &str) {
    let odd = sentence.chars().find(|letter| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert!(odd.is_none(), "{odd:?} stands in {sentence:?}");
    assert!(sentence.len() <= LONGEST, "a message of {} bytes", sentence.len());
}

/// Bytes from hexadecimal digits.
///
/// # Panics
/// When they are none.
pub fn from_hex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}
