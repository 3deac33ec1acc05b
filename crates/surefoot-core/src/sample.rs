//! What one finished task says.

/// How a task ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It returned.
    Done,
    /// It raised.
    Failed,
    /// It was cancelled before it ran.
    Cancelled,
}

/// Which function a task called, as numbered by whoever knows their names.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FunctionId(pub u8);

impl FunctionId {
    /// All that have no number of their own.
    pub const OTHERS: Self = Self(0);
}

/// The measurements of one task, all exact readings of the machine's clocks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sample {
    /// From submission to the moment a worker took it.
    pub queued_ns: u64,
    /// How long its worker, already awake, waited for the interpreter before it could take it; 0
    /// for a worker that was attached already.
    pub attach_wait_ns: u64,
    /// From start to end of the call.
    pub wall_ns: u64,
    /// CPU time of the worker's thread in between; `None` where the platform has no such clock.
    pub cpu_ns: Option<u64>,
    /// Time that the worker's thread was runnable without a core in between; `None` for a task too
    /// short to read it, or where the kernel does not say.
    pub runqueue_ns: Option<u64>,
    /// What was called.
    pub function: FunctionId,
}

impl Sample {
    /// The blocking ratio as published, `1 - cpu / wall`, in `0..=1`; `None` for a task too short
    /// for the clocks, or without a CPU clock.
    pub fn beta(&self) -> Option<f64> {
        let cpu_ns = self.cpu_ns?;
        (self.wall_ns > 0).then(|| (1.0 - cpu_ns as f64 / self.wall_ns as f64).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_is_the_published_ratio() {
        let half = Sample { wall_ns: 100, cpu_ns: Some(50), ..Sample::default() };
        assert_eq!(half.beta(), Some(0.5));
    }

    #[test]
    fn beta_of_clock_jitter_stays_in_range() {
        let jitter = Sample { wall_ns: 100, cpu_ns: Some(103), ..Sample::default() };
        assert_eq!(jitter.beta(), Some(0.0));
    }

    #[test]
    fn beta_is_unknown_without_a_cpu_clock_or_time() {
        assert_eq!(Sample { wall_ns: 100, cpu_ns: None, ..Sample::default() }.beta(), None);
        assert_eq!(Sample { wall_ns: 0, cpu_ns: Some(0), ..Sample::default() }.beta(), None);
    }
}
