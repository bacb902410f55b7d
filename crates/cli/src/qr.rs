//! QR codes in a terminal: two rows of modules in a line of half blocks.

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around the code (ISO/IEC 18004 section 6.3.8 asks for four; cameras read two on a screen, and a terminal has
/// few lines).
const MARGIN: i32 = 2;

/// The lines of a code for `text`; `None` when it is too long for one. Light modules are drawn in the colour of the text, so
/// that it looks right on a dark terminal; cameras read it the other way round too.
pub fn lines(text: &str) -> Option<Vec<String>> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
    let range = -MARGIN..code.size() + MARGIN;
    // Beyond its edge every module is light.
    let light = |x, y| !code.get_module(x, y);
    let line = |y: i32| {
        let block = |x: i32| match (light(x, y), y + 1 >= range.end || light(x, y + 1)) {
            (true, true) => '\u{2588}',
            (true, false) => '\u{2580}',
            (false, true) => '\u{2584}',
            (false, false) => ' ',
        };
        range.clone().map(block).collect()
    };
    Some(range.clone().step_by(2).map(line).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_blocks_are_the_modules_of_the_code() {
        let text = "https://id.example/device?user_code=WDJB-MJHT";
        let lines = lines(text).unwrap();
        let code = QrCode::encode_text(text, QrCodeEcc::Low).unwrap();
        for y in 0..code.size() {
            for x in 0..code.size() {
                let (column, row) = (usize::try_from(x + MARGIN).unwrap(), usize::try_from(y + MARGIN).unwrap());
                let block = lines[row / 2].chars().nth(column).unwrap();
                let light = match block {
                    '\u{2588}' => true,
                    '\u{2580}' => row % 2 == 0,
                    '\u{2584}' => row % 2 == 1,
                    _ => false,
                };
                assert_eq!(light, !code.get_module(x, y), "{x} {y}");
            }
        }
    }

    #[test]
    fn what_fits_into_no_code_has_none() {
        assert_eq!(lines(&"x".repeat(8_000)), None);
    }
}
