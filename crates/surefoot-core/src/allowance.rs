//! What the machine lets the process use at the moment.

/// Cores, memory and heat, as last read. Re-read about once a second: the numbers change by hand or
/// by an orchestrator, not by the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// Cores that may be used: affinity, and the quota of control groups as a fraction.
    pub cores: f64,
    /// Whether a quota stopped the process since the reading before.
    pub is_throttled: bool,
    /// Memory that is left, of the machine or of the tightest control group; `None` if unknown.
    pub memory_available_bytes: Option<u64>,
    /// Whether the machine slows down for heat; `None` where it does not say.
    pub is_hot: Option<bool>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { cores: 1.0, is_throttled: false, memory_available_bytes: None, is_hot: None }
    }
}
