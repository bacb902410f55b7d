//! What an account may be called. A label is how people and helpers name an account, so two of them must not pass for one
//! another, on the screen or to `holdfast token`.

use std::collections::HashMap;

use unicode_security::confusable_detection::skeleton;

use crate::{AccountId, unseen::is_unseen};

/// Longest label in characters.
pub const LABEL_MAX: usize = 100;

/// Why a label does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the label {}", self.in_words())]
pub enum LabelError {
    /// There is nothing to see.
    Empty,
    /// It is longer than [`LABEL_MAX`].
    TooLong,
    /// It has control characters, or others that nobody sees.
    Invisible,
    /// It is written like the id of an account.
    Id,
}

impl LabelError {
    /// What is wrong with it, to be said after "the label".
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Empty => "is empty",
            Self::TooLong => "has more than 100 characters",
            Self::Invisible => "has control characters, or others that nobody sees",
            Self::Id => "is written like the id of an account",
        }
    }
}

/// Whether an account may be called so.
///
/// # Errors
/// Says why not.
pub fn check_label(label: &str) -> Result<(), LabelError> {
    if label.trim().is_empty() {
        return Err(LabelError::Empty);
    }
    if label.chars().count() > LABEL_MAX {
        return Err(LabelError::TooLong);
    }
    if label.chars().any(is_invisible) {
        return Err(LabelError::Invisible);
    }
    // Joiners and selectors alone show nothing.
    if likeness(label).is_empty() {
        return Err(LabelError::Empty);
    }
    // An id comes first wherever an account is looked for, so that label would lead to another account, now or later.
    if label.trim().parse::<AccountId>().is_ok() {
        return Err(LabelError::Id);
    }
    Ok(())
}

/// The label without what nobody sees.
pub fn visible_label(label: &str) -> String {
    label.chars().filter(|c| !is_invisible(*c)).collect()
}

/// What is unseen, and white space that is no space. Joiners and variation selectors stay, and [`Labels`] does not count them.
fn is_invisible(c: char) -> bool {
    is_unseen(c) || (c.is_whitespace() && c != ' ')
}

/// Whether somebody may take one for the other: by the skeletons of Unicode Technical Standard 39, section 4. Two labels of
/// ASCII alone are told apart as they are, so that `acct1` and `acctl` may both be there.
pub fn look_alike(one: &str, other: &str) -> bool {
    one == other || (!(one.is_ascii() && other.is_ascii()) && likeness(one) == likeness(other))
}

fn likeness(label: &str) -> String {
    let seen: String =
        label.chars().filter(|c| !matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')).collect();
    let seen: String = skeleton(&seen).collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Labels, with what belongs to each, to be compared with many others.
#[derive(Debug)]
pub struct Labels<T> {
    by_likeness: HashMap<String, Vec<(String, T)>>,
}

impl<T> Default for Labels<T> {
    fn default() -> Self {
        Self { by_likeness: HashMap::new() }
    }
}

impl<T> Labels<T> {
    /// Adds a label, unless one is there that is the same, or looks like it: then that one comes back, and whether it is the
    /// same.
    pub fn insert(&mut self, label: &str, of: T) -> Option<(&T, bool)> {
        let alike = self.by_likeness.entry(likeness(label)).or_default();
        match alike.iter().position(|(known, _)| look_alike(known, label)) {
            Some(at) => alike.get(at).map(|(known, of)| (of, known == label)),
            None => {
                alike.push((label.to_owned(), of));
                None
            }
        }
    }

    /// What belongs to the label that is the same, or looks like it, and whether it is the same.
    pub fn find(&self, label: &str) -> Option<(&T, bool)> {
        let alike = self.by_likeness.get(&likeness(label))?;
        let same = alike.iter().find(|(known, _)| known == label).map(|(_, of)| (of, true));
        same.or_else(|| alike.iter().find(|(known, _)| look_alike(known, label)).map(|(_, of)| (of, false)))
    }
}

impl<'l, T> FromIterator<(&'l str, T)> for Labels<T> {
    /// Takes all of them, alike or not: those that are there are there.
    fn from_iter<I: IntoIterator<Item = (&'l str, T)>>(labels: I) -> Self {
        let mut all = Self::default();
        for (label, of) in labels {
            all.by_likeness.entry(likeness(label)).or_default().push((label.to_owned(), of));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_something_to_see_and_no_id() {
        for fits in ["work", "mara@example.org (idp) 2", "büro", "仕事", "می\u{200c}خواهم", "❤\u{fe0f}"] {
            assert_eq!(check_label(fits), Ok(()), "{fits:?}");
        }
        let id = AccountId::make(crate::UnixMillis::from_secs(1)).to_string();
        for (label, why) in [
            (" ", LabelError::Empty),
            ("\u{200d}\u{fe0f} ", LabelError::Empty),
            (&"x".repeat(101), LabelError::TooLong),
            ("wo\u{200b}rk", LabelError::Invisible),
            ("\u{202e}krow", LabelError::Invisible),
            ("work\u{a0}", LabelError::Invisible),
            ("a\nb", LabelError::Invisible),
            ("\u{3164}", LabelError::Invisible),
            (&id, LabelError::Id),
            (&id.replace('-', "").to_uppercase(), LabelError::Id),
        ] {
            assert_eq!(check_label(label), Err(why), "{label:?}");
        }
        assert_eq!(visible_label("\u{202e}wo\u{200b}rk\u{7}"), "work");
    }

    #[test]
    fn labels_that_nobody_can_tell_apart_look_alike() {
        for (one, other) in [
            ("work", "w\u{43e}rk"),
            ("a\u{301}", "\u{e1}"),
            ("work", "ｗork"),
            ("a  b", "a b\u{200d}"),
            ("❤", "❤\u{fe0f}"),
        ] {
            assert!(look_alike(one, other) && look_alike(other, one), "{one:?} {other:?}");
        }
        for (one, other) in [("acct1", "acctl"), ("burn", "bum"), ("work", "wörk"), ("Work", "work")] {
            assert!(!look_alike(one, other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn the_same_label_is_found_before_one_that_looks_like_it() {
        let known: Labels<u8> = [("w\u{43e}rk", 1), ("work", 2), ("acct1", 3)].into_iter().collect();
        assert_eq!(known.find("work"), Some((&2, true)));
        assert_eq!(known.find("w\u{43e}rk"), Some((&1, true)));
        assert_eq!(known.find("acctl"), None);
        let mut more = Labels::default();
        assert_eq!(more.insert("work", 1), None);
        assert_eq!(more.insert("work", 2), Some((&1, true)));
        assert_eq!(more.insert("w\u{43e}rk", 3), Some((&1, false)));
    }
}
