//! The machine and interpreter that the plant imitates: costs and capacities.
//!
//! The costs are **calibrated**, that is, set so that the plant's curves pass near measured ones
//! (`tests/sim_validation.rs` says how near). They are no measurements of their own.

/// Costs and capacities of a simulated machine with its interpreter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// Cores that threads may run on.
    pub cores: f64,
    /// CPU time that a control group grants, in cores; it is dealt out in periods.
    pub quota_cores: Option<f64>,
    /// Length of a quota's period; the kernel's default is 100 ms.
    pub quota_period_ns: u64,
    /// Whether there is a GIL.
    pub has_gil: bool,
    /// `sys.getswitchinterval()`.
    pub switch_interval_ns: u64,
    /// From the release of the GIL to the moment at which the woken waiter has it. Larger with more
    /// than one core, where the waiter must be brought to life on another one.
    pub handoff_ns: u64,
    /// The same where the holder is made to give the GIL up (it waits until it is gone).
    pub forced_handoff_ns: u64,
    /// CPU time that a waiter burns each time its switch interval passes for nothing.
    pub futile_cpu_ns: f64,
    /// How long that keeps the holder from working: it has the lock's mutex, or the holder's core.
    pub futile_stall_ns: f64,
    /// The least share of its speed that is left to the holder.
    pub stall_floor: f64,
    /// Making a thread.
    pub create_ns: u64,
    /// Waking a parked thread.
    pub wake_ns: u64,
    /// What the pool and the interpreter spend on each task, under the GIL.
    pub task_ns: f64,
    /// Threads that the system gives; making another fails with `EAGAIN`.
    pub threads_max: usize,
}

impl Machine {
    /// No cost but the tasks themselves: what queueing theory assumes.
    pub const IDEAL: Self = Self {
        cores: 1.0,
        quota_cores: None,
        quota_period_ns: 100_000_000,
        has_gil: true,
        switch_interval_ns: 5_000_000,
        handoff_ns: 0,
        forced_handoff_ns: 0,
        futile_cpu_ns: 0.0,
        futile_stall_ns: 0.0,
        stall_floor: 0.03,
        create_ns: 0,
        wake_ns: 0,
        task_ns: 0.0,
        threads_max: usize::MAX,
    };

    /// Two x86-64 cores with `CPython` 3.11 to 3.13. Calibrated on the two-core rows of
    /// `micro` (hand-off) and on pure CPU with 32 to 2,048 threads (futile wakes, forced hand-off).
    pub const TWO_CORES: Self = Self {
        cores: 2.0,
        handoff_ns: 60_000,
        forced_handoff_ns: 60_000,
        futile_cpu_ns: 6_000.0,
        futile_stall_ns: 3_000.0,
        create_ns: 80_000,
        wake_ns: 20_000,
        task_ns: 3_000.0,
        ..Self::IDEAL
    };

    /// One of those cores. Every futile wake takes the holder's core.
    pub const ONE_CORE: Self = Self {
        cores: 1.0,
        handoff_ns: 5_000,
        forced_handoff_ns: 20_000,
        futile_stall_ns: 6_000.0,
        ..Self::TWO_CORES
    };

    /// The machine of the published one-core curve; calibrated on that curve.
    pub const PUBLISHED_ONE_CORE: Self = Self {
        cores: 1.0,
        handoff_ns: 1_500,
        forced_handoff_ns: 1_500,
        futile_cpu_ns: 850.0,
        futile_stall_ns: 850.0,
        create_ns: 80_000,
        wake_ns: 20_000,
        ..Self::IDEAL
    };

    /// The machine of the published four-core curve; calibrated on that curve.
    pub const PUBLISHED_FOUR_CORES: Self =
        Self { cores: 4.0, handoff_ns: 60_000, forced_handoff_ns: 60_000, ..Self::PUBLISHED_ONE_CORE };

    /// Cores that may be used on average.
    pub fn usable_cores(&self) -> f64 {
        self.quota_cores.map_or(self.cores, |quota| quota.min(self.cores))
    }
}
