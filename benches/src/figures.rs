//! The table: figure, budget, peer, ratio.

use std::fmt::Write as _;

use crate::sample::Samples;

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Time,
    /// Megabytes, of 1,000,000 bytes.
    Memory,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Figure {
    what: String,
    unit: Unit,
    value: f64,
    spread: Option<(f64, f64)>,
    budget: Option<Budget>,
    peer: Option<(String, f64)>,
}

#[derive(Clone, Copy, Debug)]
enum Budget {
    Below(f64),
    TimesPeer(f64),
}

impl Figure {
    /// The median of these times.
    pub fn time(what: impl Into<String>, samples: &Samples) -> Self {
        let spread = Some(samples.spread());
        Self { spread, ..Self::value(what, Unit::Time, samples.median()) }
    }

    /// A percentile of these times, `share` between 0 and 1.
    pub fn percentile(what: impl Into<String>, samples: &Samples, share: f64) -> Self {
        Self::value(what, Unit::Time, samples.quantile(share))
    }

    /// Memory in bytes.
    pub fn memory(what: impl Into<String>, bytes: u64) -> Self {
        #[allow(clippy::cast_precision_loss)]
        Self::value(what, Unit::Memory, bytes as f64 / 1e6)
    }

    fn value(what: impl Into<String>, unit: Unit, value: f64) -> Self {
        Self { what: what.into(), unit, value, spread: None, budget: None, peer: None }
    }

    /// May be at most this, in milliseconds or megabytes.
    #[must_use]
    pub fn below(self, budget: f64) -> Self {
        Self { budget: Some(Budget::Below(budget)), ..self }
    }

    /// May be at most so many times its peer.
    #[must_use]
    pub fn at_most_times_peer(self, times: f64) -> Self {
        Self { budget: Some(Budget::TimesPeer(times)), ..self }
    }

    /// What another program takes for the same, in milliseconds or megabytes.
    #[must_use]
    pub fn beside(self, peer: impl Into<String>, value: f64) -> Self {
        Self { peer: Some((peer.into(), value)), ..self }
    }

    /// `None` without a budget, or where the peer that it is about is not there.
    fn is_within(&self) -> Option<bool> {
        match (self.budget?, &self.peer) {
            (Budget::Below(most), _) => Some(self.value <= most),
            (Budget::TimesPeer(times), Some((_, peer))) => Some(self.value <= peer * times),
            (Budget::TimesPeer(_), None) => None,
        }
    }

    fn cells(&self) -> [String; 6] {
        let budget = match self.budget {
            Some(Budget::Below(most)) => self.unit.show(most),
            Some(Budget::TimesPeer(times)) => format!("{times} x peer"),
            None => String::new(),
        };
        let verdict = match self.is_within() {
            Some(true) => "within",
            Some(false) => "OVER",
            None => "",
        };
        let (peer, ratio) = match &self.peer {
            Some((name, value)) => {
                (format!("{} ({name})", self.unit.show(*value)), format!("{:.2}", self.value / value))
            }
            None => Default::default(),
        };
        let spread = self.spread.map_or_else(String::new, |(low, high)| {
            format!(" ({} to {})", self.unit.number(low), self.unit.number(high))
        });
        [self.what.clone(), self.unit.show(self.value) + &spread, budget, verdict.to_owned(), peer, ratio]
    }
}

impl Unit {
    fn number(self, value: f64) -> String {
        match (self, value.abs()) {
            (Self::Time, ..0.1) => format!("{value:.4}"),
            (Self::Time, ..1.0) => format!("{value:.3}"),
            (_, ..10.0) => format!("{value:.2}"),
            (_, ..100.0) => format!("{value:.1}"),
            _ => format!("{value:.0}"),
        }
    }

    fn show(self, value: f64) -> String {
        format!("{} {}", self.number(value), if self == Self::Time { "ms" } else { "MB" })
    }
}

/// The lines of one subject.
#[derive(Debug)]
pub struct Section {
    /// Its heading.
    pub heading: &'static str,
    /// What was measured.
    pub figures: Vec<Figure>,
    /// What a reader has to know about it.
    pub remarks: Vec<String>,
}

impl Section {
    /// An empty one.
    pub fn new(heading: &'static str) -> Self {
        Self { heading, figures: Vec::new(), remarks: Vec::new() }
    }

    /// What is over its budget.
    pub fn over(&self) -> impl Iterator<Item = &str> {
        self.figures.iter().filter(|figure| figure.is_within() == Some(false)).map(|figure| figure.what.as_str())
    }

    /// As Markdown, aligned so that it can be read in a terminal too.
    pub fn markdown(&self) -> String {
        const HEAD: [&str; 6] = ["what", "median (10th to 90th percentile)", "budget", "", "peer", "ratio"];
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(self.figures.iter().map(Figure::cells));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3);
        let widths: [usize; 6] = std::array::from_fn(width);
        let mut text = format!("## {}\n\n", self.heading);
        for (number, row) in rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
            if number == 0 {
                let _ = writeln!(text, "|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
            }
        }
        for remark in &self.remarks {
            let _ = write!(text, "\n{remark}\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_over_its_budget_only_when_it_is() {
        let figure = |value| Figure::value("a", Unit::Time, value);
        assert_eq!(figure(20.0).below(20.0).is_within(), Some(true));
        assert_eq!(figure(20.1).below(20.0).is_within(), Some(false));
        assert_eq!(figure(6.1).beside("echo", 2.0).at_most_times_peer(3.0).is_within(), Some(false));
        assert_eq!(figure(6.1).at_most_times_peer(3.0).is_within(), None, "the peer is not installed");
        assert_eq!(figure(6.1).is_within(), None);
    }

    #[test]
    fn a_line_tells_figure_budget_peer_and_ratio() {
        let figure = Figure::value("unlock", Unit::Time, 50.0).below(60.0).beside("other", 100.0);
        assert_eq!(figure.cells().join("|"), "unlock|50.0 ms|60.0 ms|within|100 ms (other)|0.50");
        let mut section = Section::new("Vault");
        section.figures.push(figure.below(40.0));
        assert_eq!(section.over().collect::<Vec<_>>(), ["unlock"]);
        assert!(section.markdown().contains("| OVER "), "{}", section.markdown());
    }
}
