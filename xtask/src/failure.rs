//! What cannot be had, in one sentence.

use std::fmt;

/// Ends the run; the text is a sentence for people.
#[derive(Debug)]
pub struct Failure(String);

/// The result of a step.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Makes one.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
