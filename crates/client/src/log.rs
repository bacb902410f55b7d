//! Reading the audit log.

use holdfast_wire::{LogReply, Timestamp};

use crate::Error;
use crate::client::{Client, LOCAL};
use crate::encode::percent_encode;

/// Which lines of the log to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogLines<'a> {
    /// Only of this account: its id or label.
    pub account: Option<&'a str>,
    /// Only of this kind: `renewed`, `token_handed_out` and so on.
    pub action: Option<&'a str>,
    /// Only from this instant on.
    pub since: Option<Timestamp>,
    /// Only before this instant.
    pub until: Option<Timestamp>,
    /// The newest so many; `None` for as many as the agent likes to give.
    pub limit: Option<u32>,
}

impl LogLines<'_> {
    fn target(&self) -> String {
        let parameters = [
            ("account", self.account.map(percent_encode)),
            ("action", self.action.map(percent_encode)),
            ("since", self.since.map(|at| percent_encode(&at.to_string()))),
            ("until", self.until.map(|at| percent_encode(&at.to_string()))),
            ("limit", self.limit.map(|limit| limit.to_string())),
        ];
        let given: Vec<String> =
            parameters.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
        if given.is_empty() { "/v1/log".to_owned() } else { format!("/v1/log?{}", given.join("&")) }
    }
}

impl Client {
    /// `GET /v1/log`
    ///
    /// # Errors
    /// Those of every call.
    pub fn log(&self, lines: &LogLines<'_>) -> Result<LogReply, Error> {
        self.get(&lines.target(), LOCAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_asked_for_what_was_wanted_and_nothing_else() -> Result<(), Box<dyn std::error::Error>> {
        assert_eq!(LogLines::default().target(), "/v1/log");
        let lines = LogLines {
            account: Some("my work"),
            action: Some("renewed"),
            since: Some("2026-05-14T13:58:20Z".parse()?),
            until: None,
            limit: Some(5),
        };
        let expected = "/v1/log?account=my%20work&action=renewed&since=2026-05-14T13%3A58%3A20Z&limit=5";
        assert_eq!(lines.target(), expected);
        Ok(())
    }
}
