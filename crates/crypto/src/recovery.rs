//! The recovery code: 160 random bits as a person can write them down and type them in.

use base32ct::{Base32UpperUnpadded, Encoding};
use holdfast_model::RecoveryCode;
use zeroize::Zeroizing;

use crate::UnlockError;

/// 160 bits: nobody guesses them, so the code is not stretched as a passphrase is.
const CODE_BYTES: usize = 20;
/// Letters and digits of a code, without what stands between the groups.
const CODE_CHARACTERS: usize = CODE_BYTES * 8 / 5;
/// Length of a group.
const GROUP: usize = 4;

/// Draws a code.
///
/// # Errors
/// [`UnlockError::Randomness`] when the system's random source fails.
pub(crate) fn make_recovery_code() -> Result<RecoveryCode, UnlockError> {
    let mut bytes = Zeroizing::new([0; CODE_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| UnlockError::Randomness)?;
    let mut plain = Zeroizing::new([0; CODE_CHARACTERS]);
    let plain =
        Base32UpperUnpadded::encode(bytes.as_slice(), plain.as_mut_slice()).map_err(|_| UnlockError::Randomness)?;
    let mut code = String::with_capacity(CODE_CHARACTERS + CODE_CHARACTERS / GROUP);
    for (at, character) in plain.chars().enumerate() {
        if at > 0 && at % GROUP == 0 {
            code.push('-');
        }
        code.push(character);
    }
    Ok(RecoveryCode::new(code))
}

/// The bits of a code as a person types it: in any case, with or without what stands between the groups. The digits
/// that the alphabet has not are read as the letters that they look like.
pub(crate) fn code_bytes(code: &RecoveryCode) -> Option<Zeroizing<[u8; CODE_BYTES]>> {
    let mut plain = Zeroizing::new(String::with_capacity(CODE_CHARACTERS));
    for character in code.expose_secret().chars() {
        let character = match character.to_ascii_uppercase() {
            '-' | ' ' | '\t' | '\r' | '\n' => continue,
            '0' => 'O',
            '1' => 'I',
            '8' => 'B',
            other => other,
        };
        if plain.len() == CODE_CHARACTERS || !character.is_ascii() {
            return None;
        }
        plain.push(character);
    }
    let mut bytes = Zeroizing::new([0; CODE_BYTES]);
    let decoded = Base32UpperUnpadded::decode(plain.as_bytes(), bytes.as_mut_slice()).ok()?.len();
    (decoded == CODE_BYTES).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_code_has_eight_groups_of_four_and_no_two_are_alike() {
        let (one, other) = (make_recovery_code().unwrap(), make_recovery_code().unwrap());
        let groups: Vec<&str> = one.expose_secret().split('-').collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [4; 8]);
        assert!(!one.matches(&other));
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        // RFC 4648 section 10 gives "MZXW6YTBOI" for "foobar"; the same alphabet over 20 bytes.
        let code = RecoveryCode::new("AAAQ-EAYE-AUDA-OCAJ-BIFQ-YDIO-B4IB-CEQT".into());
        let expected: [u8; CODE_BYTES] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(*code_bytes(&code).unwrap(), expected);
        for typed in ["aaaqeayeaudaocajbifqydiob4ibceqt", " AAAQ EAYE AUDA 0CAJ B1FQ YD10 84IB CEQT \n"] {
            assert_eq!(*code_bytes(&RecoveryCode::new(typed.into())).unwrap(), expected, "{typed}");
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for typed in
            ["", "AAAQ", "AAAQ-EAYE-AUDA-OCAJ-BIFQ-YDIO-B4IB-CEQTA", "ä", "AAAQ-EAYE-AUDA-OCAJ-BIFQ-YDIO-B4IB-CEQ!"]
        {
            assert!(code_bytes(&RecoveryCode::new(typed.into())).is_none(), "{typed}");
        }
    }
}
