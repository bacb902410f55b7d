//! Countdowns and clock times.

use std::str::FromStr;
use std::time::Instant;

use holdfast_wire::Timestamp;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The agent's clock, carried on by this process: faces count down from the agent's time, not from their own.
#[derive(Clone, Copy, Debug)]
pub struct AgentClock {
    then: Timestamp,
    heard: Instant,
}

impl AgentClock {
    /// The agent's clock as it was said just now.
    pub fn heard(then: Timestamp) -> Self {
        Self { then, heard: Instant::now() }
    }

    /// What it shows at present.
    pub fn now(&self) -> Timestamp {
        SignedDuration::try_from(self.heard.elapsed())
            .ok()
            .and_then(|passed| self.then.checked_add(passed).ok())
            .unwrap_or(self.then)
    }
}

/// The time until `end`: `M:SS` below an hour, `H h MM m` below a day, `D d H h` below ten days, then `D d`; `ended` once
/// it is over.
pub fn countdown(end: Timestamp, now: Timestamp) -> String {
    let left = end.duration_since(now);
    if left <= SignedDuration::ZERO {
        return "ended".to_owned();
    }
    length(left.as_secs())
}

/// A length in seconds, in the same words.
pub fn length(seconds: i64) -> String {
    match seconds {
        ..HOUR => format!("{}:{:02}", seconds / MINUTE, seconds % MINUTE),
        HOUR..DAY => format!("{} h {:02} m", seconds / HOUR, seconds % HOUR / MINUTE),
        DAY.. if seconds < 10 * DAY => format!("{} d {} h", seconds / DAY, seconds % DAY / HOUR),
        _ => format!("{} d", seconds / DAY),
    }
}

/// The clock time in the person's time zone, with the day when it is not within twelve hours.
pub fn clock(at: Timestamp, now: Timestamp) -> String {
    clock_in(at, now, TimeZone::system())
}

fn clock_in(at: Timestamp, now: Timestamp, zone: TimeZone) -> String {
    let near = now.checked_add(Span::new().hours(12)).is_ok_and(|limit| at <= limit)
        && now.checked_sub(Span::new().hours(12)).is_ok_and(|limit| at >= limit);
    let at = at.to_zoned(zone);
    at.strftime(if near { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" }).to_string()
}

/// Day and time in the person's time zone.
pub fn day_and_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// An instant as a person names it: on the calendar, or so long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// On the calendar.
    At(Timestamp),
    /// So long ago.
    Ago(SignedDuration),
}

impl When {
    /// The instant, counted back from the agent's clock; `now` is asked for it only where it is needed.
    pub fn instant<E>(self, now: impl FnOnce() -> Result<Timestamp, E>) -> Result<Timestamp, E> {
        match self {
            Self::At(at) => Ok(at),
            // Before the beginning of time there are no entries either.
            Self::Ago(ago) => Ok(now()?.checked_sub(ago).unwrap_or(Timestamp::MIN)),
        }
    }
}

impl FromStr for When {
    type Err = String;

    /// RFC 3339, or a length in days, hours, minutes and seconds: `90m`, `2h`, `1d 12h`. A day is 24 hours.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        let length = text.parse::<Span>().ok().filter(|span| !span.is_negative());
        length
            .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
            .map(Self::Ago)
            .ok_or_else(|| "write 2027-01-31T18:00:00Z, or how long ago: 90m, 2h, 3d".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_the_design_says() {
        for (seconds, text) in [
            (0, "0:00"),
            (9, "0:09"),
            (725, "12:05"),
            (3599, "59:59"),
            (3600, "1 h 00 m"),
            (11_520, "3 h 12 m"),
            (86_399, "23 h 59 m"),
            (86_400, "1 d 0 h"),
            (863_999, "9 d 23 h"),
            (864_000, "10 d"),
            (2_592_000, "30 d"),
        ] {
            assert_eq!(length(seconds), text);
        }
    }

    #[test]
    fn a_countdown_never_shows_time_that_is_not_left() -> Result<(), jiff::Error> {
        let now: Timestamp = "2026-05-14T13:58:20Z".parse()?;
        assert_eq!(countdown("2026-05-14T13:58:20Z".parse()?, now), "ended");
        assert_eq!(countdown("2026-05-14T13:58:19Z".parse()?, now), "ended");
        assert_eq!(countdown("2026-05-14T13:58:21.999Z".parse()?, now), "0:01");
        Ok(())
    }

    #[test]
    fn clock_times_name_the_day_only_when_it_is_far() -> Result<(), jiff::Error> {
        let now: Timestamp = "2026-05-14T13:58:20Z".parse()?;
        assert_eq!(clock_in("2026-05-14T16:58:00Z".parse()?, now, TimeZone::UTC), "16:58:00");
        assert_eq!(clock_in("2026-06-01T08:00:00Z".parse()?, now, TimeZone::UTC), "2026-06-01 08:00");
        Ok(())
    }
    #[test]
    fn an_instant_is_named_on_the_calendar_or_counted_back_from_the_agents_clock() -> Result<(), jiff::Error> {
        let now: Timestamp = "2026-05-14T13:58:20Z".parse()?;
        let instant = |text: &str| text.parse::<When>().map(|when| when.instant(|| Ok::<_, ()>(now)));
        for (text, expected) in [
            ("2026-05-14T08:00:00+02:00", "2026-05-14T06:00:00Z"),
            ("2h", "2026-05-14T11:58:20Z"),
            ("90m", "2026-05-14T12:28:20Z"),
            ("1d 12h", "2026-05-13T01:58:20Z"),
            ("1w", "2026-05-07T13:58:20Z"),
        ] {
            assert_eq!(instant(text), Ok(Ok(expected.parse()?)), "{text}");
        }
        for text in ["", "soon", "2", "-2h", "2h ago", "1mo", "2026-05-14"] {
            assert!(instant(text).is_err(), "{text}");
        }
        Ok(())
    }
}
