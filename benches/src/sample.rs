//! Taking times on a machine that also does other things.
//!
//! What is compared is measured in turns, so that whatever else the machine does falls on both, and the figure is the
//! median. The spread is printed beside it: a reader sees whether a figure can be trusted.

use std::time::{Duration, Instant};

/// Times of one thing, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds one.
    pub fn push(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1e3);
    }

    /// The value below which this share of the samples lies; NaN without samples.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Where most of them lie: the tenth and the ninetieth percentile.
    pub fn spread(&self) -> (f64, f64) {
        (self.quantile(0.1), self.quantile(0.9))
    }
}

/// Does `work` and says how long it took.
#[allow(clippy::disallowed_methods, reason = "taking the time is what is done here")]
pub fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Duration)> {
    let began = Instant::now();
    let done = work()?;
    Ok((done, began.elapsed()))
}

/// The same for what is awaited.
#[allow(clippy::disallowed_methods, reason = "taking the time is what is done here")]
pub async fn timed_async<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<(T, Duration), E> {
    let began = Instant::now();
    let done = work.await?;
    Ok((done, began.elapsed()))
}

/// Does `rounds` rounds; in each, every one of `works` once. The first round warms up and does not count.
pub fn in_turns<const N: usize>(
    rounds: usize,
    works: &mut [&mut dyn FnMut() -> anyhow::Result<Duration>; N],
) -> anyhow::Result<[Samples; N]> {
    let mut samples = std::array::from_fn(|_| Samples::default());
    for round in 0..=rounds {
        for (work, samples) in works.iter_mut().zip(&mut samples) {
            let took = work()?;
            if round > 0 {
                samples.push(took);
            }
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(times: &[u64]) -> Samples {
        let mut samples = Samples::default();
        times.iter().for_each(|time| samples.push(Duration::from_millis(*time)));
        samples
    }

    #[test]
    fn one_slow_round_does_not_move_the_median() {
        assert!((samples(&[3, 1, 2, 900, 2]).median() - 2.0).abs() < 1e-9);
        let ten: Vec<u64> = (0..=10).collect();
        assert_eq!(samples(&ten).spread(), (1.0, 9.0));
        assert!(Samples::default().median().is_nan());
    }

    #[test]
    fn rounds_alternate_and_the_first_does_not_count() {
        let order = std::cell::RefCell::new(String::new());
        let note = |name| {
            order.borrow_mut().push(name);
            Ok(Duration::from_millis(1))
        };
        let taken = in_turns(2, &mut [&mut || note('a'), &mut || note('b')]).unwrap();
        assert_eq!(*order.borrow(), "ababab");
        assert!(taken.iter().all(|samples| samples.0.len() == 2));
    }
}
